// Rights and links, by the API, for what a journey needs before it begins.
import { newAccount, ok, until } from './product.mjs';
import { administrator } from './queue.mjs';

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
