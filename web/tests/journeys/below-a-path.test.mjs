// The page below a path of a host, as behind a proxy that gives it one part of its addresses.
import assert from 'node:assert/strict';
import { request as ask, createServer } from 'node:http';
import { after, before } from 'node:test';
import { address } from '../support/browser.mjs';
import { journey } from '../support/journey.mjs';
import { makeFolder, thumbnailsReady, upload } from '../support/product.mjs';
import { picture, text } from '../support/samples.mjs';
import { dropFiles, entry, place } from '../support/steps.mjs';

/**
 * Where people reach the product. Where its address has no path, this file is the proxy that gives it one: the product was
 * told so by FM_PUBLIC_URL.
 */
const proxied = new URL(address).pathname === '/';
const reached = new URL(proxied ? process.env.FM_E2E_PUBLIC_URL || 'http://127.0.0.1:18190/my/files' : address);
const prefix = reached.pathname;
/** What was asked of the rest of the host, where nothing of the product is. */
const strayed = [];
const isInside = (path) => path === prefix || path.startsWith(`${prefix}/`);

const proxy = createServer((near, answer) => {
  if (!isInside(near.url)) {
    // Of its own accord a browser asks for this one.
    if (near.url !== '/favicon.ico') strayed.push(near.url);
    answer.writeHead(404).end();
    return;
  }
  const path = near.url.slice(prefix.length) || '/';
  const far = ask(new URL(address).origin + path, { method: near.method, headers: near.headers }, (reply) => {
    answer.writeHead(reply.statusCode, reply.rawHeaders);
    reply.pipe(answer);
  });
  far.on('error', () => answer.destroy());
  answer.on('close', () => far.destroy());
  near.pipe(far);
});

before(() => {
  if (proxied) return new Promise((ready) => proxy.listen(Number(reached.port), reached.hostname, ready));
});
after(() => {
  proxy.closeAllConnections();
  proxy.close();
});

journey('below a path of a host everything is found, and nothing outside of it is asked for', async (their) => {
  const { page, account } = their;
  page.on('request', (request) => {
    const { origin, pathname } = new URL(request.url());
    if (origin === reached.origin && !isInside(pathname)) strayed.push(pathname);
  });
  const { id: trip } = await makeFolder(account, 'root', 'Trip');
  const photo = await upload(account, trip, 'photo.png', picture(600, 400, 90));
  await thumbnailsReady(account, photo.id);
  await page.goto(reached.href);
  await page.getByLabel('E-mail').fill(account.email);
  await page.getByLabel('Password', { exact: true }).fill(account.password);
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  await entry(page, 'Trip').dblclick();
  await entry(page, 'photo.png').locator('img').waitFor();
  assert.equal(new URL(page.url()).pathname, `${prefix}/app/files/${trip}`);

  // The session, and the place, are still there after the page was loaded anew.
  await page.reload();
  await dropFiles(page, [{ name: 'note.txt', bytes: text('a note') }]);
  await entry(page, 'note.txt').waitFor();
  await entry(page, 'photo.png').dblclick();
  const viewer = page.getByRole('dialog');
  await viewer.locator('img').first().waitFor();
  await page.waitForFunction(() =>
    [...document.querySelectorAll('[role=dialog] img')].some((image) => image.complete && image.naturalWidth > 0),
  );
  await page.keyboard.press('Escape');
  await viewer.waitFor({ state: 'detached' });
  await entry(page, 'note.txt').click();
  const [download] = await Promise.all([page.waitForEvent('download'), page.keyboard.press('d')]);
  assert.equal(download.suggestedFilename(), 'note.txt');

  // A link for others is one that they can follow.
  await page.keyboard.press('s');
  await page.getByRole('dialog').getByRole('button', { name: 'New link' }).click();
  await page.getByRole('button', { name: 'Make link' }).click();
  const visitor = await their.newPage();
  const link = await page
    .getByRole('dialog')
    .getByRole('textbox', { name: /^Address of/ })
    .inputValue();
  assert.ok(link.startsWith(`${reached.href}/app/s/`), link);
  await visitor.goto(link);
  await visitor.getByRole('button', { name: 'Download', exact: true }).first().waitFor();
  await page.keyboard.press('Escape');

  await place(page, 'Starred').click();
  await page.getByText('Nothing has a star yet').waitFor();
  assert.equal(new URL(page.url()).pathname, `${prefix}/app/starred`);
  await page.goBack();
  await entry(page, 'note.txt').waitFor();

  // What happens elsewhere comes by events.
  await page.goto(`${reached.href}/app/jobs`);
  await page.getByText('Live', { exact: true }).waitFor({ timeout: 45_000 });
  await upload(account, 'root', 'later.png', picture(200, 100));
  await page.getByRole('region', { name: 'Background jobs' }).getByRole('link', { name: 'later.png' }).waitFor();
  assert.deepEqual(strayed, []);
});
