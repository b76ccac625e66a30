// Rights and links, by the API, for what a journey needs before it begins.
import { makeFolder, newAccount, ok, until, upload } from './product.mjs';
import { administrator } from './queue.mjs';
import { picture, text } from './samples.mjs';

export const share = (account, file, role, to) =>
  ok('POST', `/files/${file}/shares`, { body: { role, ...to }, token: account.token });

export const shareWith = (account, file, role, other) => share(account, file, role, { address: other.email });

export const makeLink = (account, file, link = {}) =>
  ok('POST', `/files/${file}/links`, { body: link, token: account.token });

export const linksOf = async (account, file) =>
  (await ok('GET', `/files/${file}/links`, { token: account.token })).items;

export const sharesOf = async (account, file) =>
  (await ok('GET', `/files/${file}/shares`, { token: account.token })).items;

export const idOf = async (account) => (await ok('GET', '/users/me', { token: account.token })).id;

/** A group of these accounts, who find one another by it. */
export async function makeGroup(name, ...accounts) {
  const admin = await administrator();
  const members = [];
  for (const account of accounts) members.push(await idOf(account));
  return ok('POST', '/groups', { body: { name, members }, token: admin.token });
}

/** Two people who know each other by a group of their own. */
export async function colleagues(account, name = 'colleague') {
  const other = await newAccount(name);
  const group = await makeGroup(`Team ${other.email}`, account, other);
  return { other, group };
}

export { until };

/** News for pictures: a link that was used, as its maker is told of it. */
export async function furnishNews(account) {
  const inbox = await makeFolder(account, 'root', 'Letter box');
  const link = await makeLink(account, inbox.id, { role: 'dropper', label: 'Summer party', notify: true });
  await ok('PUT', `/public/${link.token}/children/greetings.txt/content`, { body: new TextEncoder().encode('hello') });
  await until('the news has come', async () =>
    (await ok('GET', '/notifications', { token: account.token })).items.some(({ kind }) => kind === 'link.used'),
  );
}

/** Shares and links of every kind, for pictures of them. */
export async function furnishSharing(account, scene) {
  const grace = await newAccount('grace');
  const gustav = await newAccount('gustav');
  const garden = await makeGroup(`Gardeners ${Date.now().toString(36)}`, account, grace, gustav);
  const photos = scene.photosFolder;
  await shareWith(account, photos, 'editor', grace);
  await share(account, photos, 'viewer', { groupId: garden.id });
  await shareWith(account, scene.firstPhoto, 'viewer', gustav);
  const year = new Date().getFullYear() + 1;
  const gallery = await makeLink(account, photos, {
    label: 'Grandparents',
    expiresAt: `${year}-05-01T23:59:59Z`,
    maxDownloads: 40,
  });
  const locked = await makeLink(account, photos, { password: 'apple pie', label: 'Club' });
  const editor = await makeLink(account, photos, { role: 'editor' });
  const file = await makeLink(account, scene.firstPhoto);
  const inbox = await makeFolder(account, 'root', 'Inbox');
  const drop = await makeLink(account, inbox.id, { role: 'dropper', label: 'Pictures of the summer party' });
  const lent = await makeFolder(grace, 'root', 'Seeds and seedlings');
  for (const name of ['Greenhouse', 'Meadow']) await makeFolder(grace, lent.id, name);
  await upload(grace, lent.id, 'bed 4.png', picture(600, 400, 120));
  await upload(grace, lent.id, 'plan.txt', text('sow in March'));
  await shareWith(grace, lent.id, 'viewer', account);
  const letter = await upload(gustav, 'root', 'Minutes of the meeting.txt', text('all agreed'));
  await shareWith(gustav, letter.id, 'editor', account);
  const tokens = { gallery, locked, editor, file, drop };
  return {
    lent: lent.id,
    ...Object.fromEntries(Object.entries(tokens).map(([name, link]) => [name, link.token])),
  };
}
