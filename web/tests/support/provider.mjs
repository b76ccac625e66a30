// An identity provider for tests: `oidc-provider`, with two clients, people who are whoever they say, and answers that can be spoilt on demand.
//
//   node support/provider.mjs <port> <folder>
//
// Keys are kept in the folder, so that removing them and starting again changes them. The redirect addresses that it takes are told by
// `POST /control {"redirectUris": [...], "logoutUris": [...]}`, and how the next token answer is spoilt by `{"spoil": {...}}`.

import { createPublicKey, randomUUID } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import Provider from 'oidc-provider';

const [port, folder] = process.argv.slice(2);
const issuer = `http://127.0.0.1:${port}`;
const keysFile = join(folder, 'keys.json');

async function newKey() {
  const { privateKey } = await generateKeyPair('RS256', { extractable: true });
  return { ...(await exportJWK(privateKey)), kid: randomUUID(), use: 'sig', alg: 'RS256' };
}

if (!existsSync(keysFile)) writeFileSync(keysFile, JSON.stringify({ keys: [await newKey()] }));
const jwks = JSON.parse(readFileSync(keysFile, 'utf8'));
const clientsFile = join(folder, 'clients.json');
const addresses = existsSync(clientsFile)
  ? JSON.parse(readFileSync(clientsFile, 'utf8'))
  : { redirectUris: ['http://127.0.0.1:1/none'], logoutUris: [] };

/** How the next answer to a code is spoilt. */
let spoil = null;

function provider() {
  const client = (id) => ({
    client_id: id,
    client_secret: `${id}: secret+with/letters`,
    redirect_uris: addresses.redirectUris,
    post_logout_redirect_uris: addresses.logoutUris,
  });
  const made = new Provider(issuer, {
    clients: [client('files'), client('other')],
    jwks,
    claims: { openid: ['sub'], email: ['email', 'email_verified'] },
    cookies: { keys: ['a key for tests'] },
    features: { devInteractions: { enabled: false }, rpInitiatedLogout: { enabled: true } },
    interactions: { url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
    pkce: { required: () => true },
    findAccount: (_ctx, id) => ({
      accountId: id,
      claims: () => ({ sub: id, email: id, email_verified: !id.startsWith('unverified') }),
    }),
    async loadExistingGrant(ctx) {
      const { client, session } = ctx.oidc;
      const grant = new ctx.oidc.provider.Grant({ clientId: client.clientId, accountId: session.accountId });
      grant.addOIDCScope('openid email');
      await grant.save();
      return grant;
    },
  });
  made.use(spoiling);
  made.use(interactions(made));
  return made;
}

/** Whoever types a name, or comes with `login_hint`, is that person; `refuse` wants not to sign in. */
function interactions(made) {
  return async (ctx, next) => {
    const at = ctx.path.match(/^\/interaction\/([\w-]+)$/);
    if (!at) return next();
    const { params } = await made.interactionDetails(ctx.req, ctx.res);
    let login = params.login_hint;
    if (ctx.method === 'POST') login = new URLSearchParams(await body(ctx.req)).get('login');
    if (!login) {
      ctx.type = 'html';
      ctx.body = `<!doctype html><title>Provider of tests</title><form method="post">
        <label>Login <input name="login" autofocus></label><button>Continue</button></form>`;
      return;
    }
    const result = login === 'refuse' ? { error: 'access_denied' } : { login: { accountId: login, remember: false } };
    await made.interactionFinished(ctx.req, ctx.res, result);
    ctx.respond = false;
  };
}

async function spoiling(ctx, next) {
  await next();
  if (ctx.path !== '/token' || !spoil || !ctx.body?.id_token) return;
  const { kind, token } = spoil;
  spoil = null;
  const [head, claims] = ctx.body.id_token.split('.');
  const said = JSON.parse(Buffer.from(claims, 'base64url'));
  const { kid } = JSON.parse(Buffer.from(head, 'base64url'));
  const sign = (key, alg, id) => new SignJWT(said).setProtectedHeader({ alg, kid: id }).sign(key);
  if (kind === 'other') ctx.body = { ...ctx.body, id_token: token };
  if (kind === 'key') {
    const { privateKey } = await generateKeyPair('RS256');
    ctx.body = { ...ctx.body, id_token: await sign(privateKey, 'RS256', kid) };
  }
  if (kind === 'unknown-key') {
    const { privateKey } = await generateKeyPair('RS256');
    ctx.body = { ...ctx.body, id_token: await sign(privateKey, 'RS256', 'nobody knows it') };
  }
  if (kind === 'hs256') {
    // the public key as a secret: whoever lets a token choose its algorithm takes this one
    const pem = createPublicKey({ key: jwks.keys[0], format: 'jwk' }).export({ type: 'spki', format: 'pem' });
    ctx.body = { ...ctx.body, id_token: await sign(Buffer.from(pem), 'HS256', kid) };
  }
  if (kind === 'none') {
    const none = Buffer.from(JSON.stringify({ alg: 'none', kid })).toString('base64url');
    ctx.body = { ...ctx.body, id_token: `${none}.${claims}.` };
  }
}

async function body(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

let current = provider();
let callback = current.callback();

const { createServer } = await import('node:http');
createServer(async (request, response) => {
  if (request.url !== '/control') return callback(request, response);
  const told = JSON.parse(await body(request));
  if (told.redirectUris) {
    Object.assign(addresses, { redirectUris: told.redirectUris, logoutUris: told.logoutUris ?? [] });
    writeFileSync(clientsFile, JSON.stringify(addresses));
    current = provider();
    callback = current.callback();
  }
  if ('spoil' in told) spoil = told.spoil;
  response.end();
}).listen(Number(port), '127.0.0.1');
