// Accounts, groups and invitations, by the API that administrators use.
import { ok } from './product.mjs';

const PASSWORD = 'a password of my own';
let counter = 0;

export const signInByApi = async ({ email, password }) =>
  (await ok('POST', '/auth/login', { body: { email, password, session: 'token' } })).accessToken;

/** With the proof that what makes an administrator, and what takes a second factor away, want. */
const proven = (admin, body) =>
  body.role === 'admin' || body.resetSecondFactor ? { ...body, proof: { password: admin.password } } : body;

/** A user whom an administrator made. */
export async function makeUser(admin, name, more = {}) {
  counter += 1;
  const email = `${name}-${process.pid}-${Date.now().toString(36)}-${counter}@example.org`;
  const body = proven(admin, { email, password: PASSWORD, role: 'user', ...more });
  const { id } = await ok('POST', '/admin/users', { body, token: admin.token });
  return { id, email: body.email, password: PASSWORD };
}

export const userOf = (admin, id) => ok('GET', `/admin/users/${id}`, { token: admin.token });

export const changeUser = (admin, id, body) =>
  ok('PATCH', `/admin/users/${id}`, { body: proven(admin, body), token: admin.token });

export const makeGroup = (admin, name, members = []) =>
  ok('POST', '/groups', { body: { name, members }, token: admin.token });

export const makeInvitation = (admin, body = {}) =>
  ok('POST', '/admin/invitations', { body: proven(admin, body), token: admin.token });

export const makeToken = (account, body) =>
  ok('POST', '/users/me/tokens', { body: { ...body, password: account.password }, token: account.token });

/** An installation as one might find it, for pictures. */
export async function furnishPeople(admin) {
  const stamp = Date.now().toString(36);
  const names = ['ada.lovelace', 'grace.hopper', 'alan.turing', 'mary.somerville', 'emmy.noether', 'edsger.dijkstra'];
  const users = [];
  for (const name of names) users.push(await makeUser(admin, name, { email: `${name}.${stamp}@example.org` }));
  const [ada, grace, alan, mary, emmy, edsger] = users;
  await changeUser(admin, ada.id, { quotaBytes: 20_000_000 });
  await changeUser(admin, edsger.id, { disabled: true });
  const token = await signInByApi(ada);
  const bytes = new Uint8Array(13_400_000);
  await ok('PUT', '/files/root/children/measurements.bin/content', { body: bytes, token });
  await makeGroup(admin, `Greenhouse ${stamp}`, [ada.id, grace.id, mary.id]);
  await makeGroup(admin, `Board ${stamp}`, [ada.id, grace.id, alan.id, mary.id, emmy.id]);
  await makeInvitation(admin, { email: `katherine.${stamp}@example.org` });
  await makeInvitation(admin, { role: 'admin' });
  return { ada };
}

/** A webhook of an account; where it goes need not be there. */
export const makeWebhook = async (account, body) =>
  (await ok('POST', '/webhooks', { body, token: account.token })).webhook;

/** Webhooks of an account, for pictures; the id of one of them. */
export async function furnishWebhooks(account) {
  const make = (body) => makeWebhook(account, body);
  const { id } = await make({
    url: 'https://inventory.example.org/hooks/files',
    description: 'Inventory',
    events: ['file.created', 'file.moved', 'file.deleted', 'job.failed'],
  });
  const off = await make({ url: 'https://old.example.org/hooks', events: ['job.complete'] });
  await ok('PATCH', `/webhooks/${off.id}`, { body: { active: false }, token: account.token });
  return id;
}

/** Tokens of an account, for pictures. */
export async function furnishTokens(account, folderId) {
  await makeToken(account, { name: 'Backup of my laptop', scopes: ['files:read', 'files:write'] });
  const expiresAt = new Date(Date.now() + 20 * 86_400_000).toISOString();
  await makeToken(account, { name: 'Photo frame', scopes: ['files:read'], folderId, expiresAt });
}
