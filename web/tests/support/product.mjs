// The product's own API, for what a journey needs before it begins.
import { address, setupCode } from './browser.mjs';

export const ADMIN = { email: 'admin@example.org', password: 'correct horse battery' };
let counter = 0;

async function call(method, path, { body, token, headers = {} } = {}) {
  const raw = body instanceof Uint8Array;
  return fetch(`${address}/api/v1${path}`, {
    method,
    headers: {
      ...(token ? { Authorization: `Bearer ${token}` } : {}),
      ...(body === undefined || raw ? {} : { 'Content-Type': 'application/json' }),
      ...headers,
    },
    body: body === undefined ? undefined : raw ? body : JSON.stringify(body),
  });
}

export async function ok(method, path, options) {
  const answer = await call(method, path, options);
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
  return answer.status === 204 || answer.status === 202 ? null : answer.json();
}

export const setupState = () => ok('GET', '/setup');

/** Makes the first administrator if there is none yet. */
export async function ensureSetUp() {
  if ((await setupState()).needed) await ok('POST', '/setup', { body: { code: setupCode, ...ADMIN } });
}

/** An account of its own for one journey, so that journeys do not see one another's files. */
export async function newAccount(name = 'someone', email = '') {
  await ensureSetUp();
  counter += 1;
  const account = {
    email: email || `${name}-${process.pid}-${Date.now().toString(36)}-${counter}@example.org`,
    password: 'a password of my own',
  };
  const login = await ok('POST', '/auth/register', { body: { ...account, session: 'token' } });
  return { ...account, token: login.accessToken };
}

export const upload = (account, folder, name, bytes, query = '') =>
  ok('PUT', `/files/${folder}/children/${encodeURIComponent(name)}/content${query}`, {
    body: bytes,
    token: account.token,
  });

export const makeFolder = (account, parentId, name) =>
  ok('POST', '/files', { body: { parentId, name }, token: account.token });

export const children = async (account, folder, query = '') =>
  (await ok('GET', `/files/${folder}/children${query}`, { token: account.token })).items;

export const trashIt = (account, id) => ok('DELETE', `/files/${id}`, { token: account.token });

/** Asks until the answer is right; what is waited for is the deadline's to say. */
export async function until(what, ask, deadlineMs = 20_000) {
  const end = Date.now() + deadlineMs;
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    if (Date.now() > end) throw new Error(`never came true: ${what}`);
    await new Promise((resume) => setTimeout(resume, 50));
  }
}

export const thumbnailsReady = (account, id) =>
  until('the thumbnails are ready', async () => {
    const file = await ok('GET', `/files/${id}`, { token: account.token });
    return file.thumbnails.state === 'ready' && file;
  });
