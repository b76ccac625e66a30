// The page below a path of a host, as behind a proxy that gives it one part of its addresses.
import assert from 'node:assert/strict';
import { request as ask, createServer } from 'node:http';
import { after, before } from 'node:test';
import { address } from '../support/browser.mjs';
import { journey } from '../support/journey.mjs';
import { makeFolder, thumbnailsReady, upload } from '../support/product.mjs';
import { picture, text } from '../support/samples.mjs';
import { dropFiles, entry } from '../support/steps.mjs';

/** Where people reach the product; the product was told so by FM_PUBLIC_URL. */
const reached = new URL(process.env.FM_E2E_PUBLIC_URL || 'http://127.0.0.1:18190/my/files');
const prefix = reached.pathname;
/** What the browser asked of the rest of the host, where nothing of the product is. */
const strayed = [];

const proxy = createServer((near, answer) => {
  const inside = near.url === prefix || near.url.startsWith(`${prefix}/`);
  if (!inside) {
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

before(() => new Promise((ready) => proxy.listen(Number(reached.port), reached.hostname, ready)));
after(() => {
  proxy.closeAllConnections();
  proxy.close();
});

journey('below a path of a host everything is found, and nothing outside of it is asked for', async (their) => {
  const { page, account } = their;
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
  await visitor.goto(
    await page
      .getByRole('dialog')
      .getByRole('textbox', { name: /^Address of/ })
      .inputValue(),
  );
  await visitor.getByRole('button', { name: 'Download' }).first().waitFor();
  await page.keyboard.press('Escape');

  await page.getByRole('link', { name: 'Starred', exact: true }).click();
  await page.getByText('Nothing has a star yet').waitFor();
  assert.equal(new URL(page.url()).pathname, `${prefix}/app/starred`);
  await page.goBack();
  await entry(page, 'note.txt').waitFor();
  assert.deepEqual(strayed, []);
});
