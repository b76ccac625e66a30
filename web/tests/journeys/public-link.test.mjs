// The page that a link opens, for somebody who has nothing else: each in a profile of its own, without an account.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { check } from '../support/axe.mjs';
import { address } from '../support/browser.mjs';
import { journey } from '../support/journey.mjs';
import { children, makeFolder, ok, thumbnailsReady, until, upload } from '../support/product.mjs';
import { picture, text } from '../support/samples.mjs';
import { linksOf, makeLink } from '../support/sharing.mjs';
import { dropEndlessFolder, dropFiles, entry, loseAnswers, pickFiles, signIn } from '../support/steps.mjs';

const visit = (page, link) => page.goto(`${address}/app/s/${link.token}`);

async function album(account) {
  const box = await makeFolder(account, 'root', 'Album');
  const inner = await makeFolder(account, box.id, 'Day one');
  const photo = await upload(account, box.id, 'sea.png', picture(600, 400, 200));
  await upload(account, box.id, 'words.txt', text('some words'));
  await upload(account, inner.id, 'hill.png', picture(600, 400, 90));
  await thumbnailsReady(account, photo.id);
  return { box, inner, photo };
}

journey('a link with a password opens with it: list, gallery, viewer, download', async ({ page, account }) => {
  const { box, inner } = await album(account);
  const link = await makeLink(account, box.id, { label: 'Summer', password: 'apple pie' });
  await visit(page, link);
  await page.getByRole('heading', { name: 'This link wants a password' }).waitFor();
  assert.equal(await page.getByText('Summer').count(), 0);
  await page.getByLabel('Password', { exact: true }).fill('pear');
  await page.keyboard.press('Enter');
  await page.getByText('This is not its password.').waitFor();
  await page.getByLabel('Password', { exact: true }).fill('apple pie');
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Summer' }).waitFor();
  await entry(page, 'sea.png').waitFor();
  await page.waitForFunction(() => [...document.images].some((one) => one.complete && one.naturalWidth > 0));

  await entry(page, 'sea.png').dblclick();
  const viewer = page.getByRole('dialog', { name: /sea\.png/ });
  await viewer.locator('img').first().waitFor();
  await page.waitForFunction(() => document.querySelector('[role=dialog] img')?.naturalWidth > 0);
  await page.keyboard.press('ArrowRight');
  await page.getByRole('dialog').getByText('some words').waitFor();
  const [saved] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('dialog').getByRole('button', { name: 'Download', exact: true }).click(),
  ]);
  assert.equal(readFileSync(await saved.path(), 'utf8'), 'some words');
  await page.keyboard.press('Escape');

  await entry(page, 'Day one').dblclick();
  await entry(page, 'hill.png').waitFor();
  assert.ok(page.url().endsWith(`/app/s/${link.token}/${inner.id}`));
  // The ticket holds for what comes next: a reload asks for nothing.
  await page.reload();
  await entry(page, 'hill.png').waitFor();
  await page.getByRole('link', { name: 'Album' }).click();
  await page.getByRole('button', { name: 'List', exact: true }).click();
  await page.getByRole('columnheader', { name: 'Name' }).waitFor();
  await entry(page, 'words.txt').waitFor();

  // One opening for each time that the page came, none for the folders in it.
  assert.equal((await linksOf(account, box.id))[0].opens, 2);

  // It ends while somebody looks.
  await ok('DELETE', `/links/${link.id}`, { token: account.token });
  await entry(page, 'Day one').dblclick();
  await page.getByText('This link opens nothing').waitFor();
});

journey(
  'a link that there is not says so, and offers no way in',
  async ({ page }) => {
    await page.goto(`${address}/app/s/AAAAAAAAAAAAAAAAAAAAAA`);
    await page.getByRole('heading', { name: 'This link opens nothing' }).waitFor();
    await page.getByRole('link', { name: 'To your own files' }).click();
    await page.getByLabel('E-mail').waitFor();
  },
  { stranger: true },
);

journey('who made a link is told that it was used', async ({ page, account, newPage }) => {
  const { box } = await album(account);
  const label = '<i>Grandparents</i>';
  const link = await makeLink(account, box.id, { label, notify: true });
  await signIn(page, account);
  const rail = page.getByRole('banner');
  await rail.getByRole('link', { name: 'Notifications', exact: true }).waitFor();
  const visitor = await newPage();
  await visit(visitor, link);
  await entry(visitor, 'words.txt').click();
  const bar = visitor.getByRole('toolbar', { name: 'Selection' });
  await Promise.all([
    visitor.waitForEvent('download'),
    bar.getByRole('button', { name: 'Download', exact: true }).click(),
  ]);

  await rail.getByRole('link', { name: 'Notifications 1 unread notification' }).click();
  const list = page.getByRole('region', { name: 'What happened' });
  await list.getByText(`The link “${label}” was used`).waitFor();
  await list.getByText('1 download').waitFor();
  await list.getByText('New', { exact: true }).waitFor();
  await check(page, 'notifications');
  // Shown is read, here and elsewhere.
  await rail.getByRole('link', { name: 'Notifications', exact: true }).waitFor();
  await page.reload();
  await list.getByText(`The link “${label}” was used`).waitFor();
  assert.equal(await list.getByText('New', { exact: true }).count(), 0);
  await list.getByRole('link', { name: 'words.txt' }).click();
  await page.getByRole('dialog', { name: 'Viewing words.txt' }).waitFor();
});

journey('a download limit is shown, counts, and says when it is used up', async ({ page, account }) => {
  const { box } = await album(account);
  const link = await makeLink(account, box.id, { maxDownloads: 1 });
  await visit(page, link);
  await page.getByText('1 download left').waitFor();
  await entry(page, 'words.txt').click();
  const [saved] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('toolbar', { name: 'Selection' }).getByRole('button', { name: 'Download', exact: true }).click(),
  ]);
  assert.equal(readFileSync(await saved.path(), 'utf8'), 'some words');
  await page.getByText('0 downloads left').waitFor();
  await page.getByText('The download limit of this link is used up').waitFor();
  assert.equal((await linksOf(account, box.id))[0].downloads, 1);
  await entry(page, 'sea.png').click();
  await page.getByRole('toolbar', { name: 'Selection' }).getByRole('button', { name: 'Download', exact: true }).click();
  await page.getByRole('region', { name: 'Messages' }).getByText('The download limit').waitFor();
});

journey('a link for previews alone shows pictures and gives no content', async ({ page, account }) => {
  const { box } = await album(account);
  const link = await makeLink(account, box.id, { role: 'preview-only' });
  const contents = [];
  page.on('request', (request) => {
    if (/\/content(\?|$)/.test(request.url())) contents.push(request.url());
  });
  await visit(page, link);
  await entry(page, 'sea.png').dblclick();
  await page.waitForFunction(() => document.querySelector('[role=dialog] img')?.naturalWidth > 0);
  assert.equal(await page.getByRole('dialog').getByRole('button', { name: 'Download', exact: true }).count(), 0);
  await page.keyboard.press('ArrowRight');
  await page.getByText('This link shows previews only').waitFor();
  assert.deepEqual(contents, []);
});

journey('a single file by a link is seen and saved', async ({ page, account }) => {
  const file = await upload(account, 'root', 'letter.txt', text('dear all'));
  const link = await makeLink(account, file.id);
  await visit(page, link);
  await page.getByRole('heading', { name: 'letter.txt', level: 2 }).waitFor();
  const [saved] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('button', { name: 'Download', exact: true }).click(),
  ]);
  assert.equal(readFileSync(await saved.path(), 'utf8'), 'dear all');
  await page.getByRole('button', { name: 'Open', exact: true }).click();
  await page.getByRole('dialog').getByText('dear all').waitFor();
});

for (const phone of [false, true]) {
  journey(
    `files are dropped by a link that shows nothing, and receipted${phone ? ', on a phone' : ''}`,
    async ({ page, account }) => {
      const box = await makeFolder(account, 'root', 'Letter box');
      await upload(account, box.id, 'secret.txt', text('not for visitors'));
      const link = await makeLink(account, box.id, { role: 'dropper', label: 'Send me your pictures' });
      await visit(page, link);
      await page.getByRole('heading', { name: 'Send me your pictures' }).waitFor();
      assert.equal(await page.getByText('Letter box').count(), 0);
      await pickFiles(page, () => page.getByRole('button', { name: 'Choose files' }).click(), [
        { name: 'one.txt', bytes: text('one') },
        { name: 'secret.txt', bytes: text('two') },
      ]);
      await page.getByText('2 files have arrived').waitFor();
      const list = page.getByRole('region', { name: 'Your files' });
      await list
        .getByText(/SHA-256 [0-9a-f]{64}/)
        .first()
        .waitFor();
      // What was there already is not told: the name stays as it was given.
      assert.deepEqual(
        (await children(account, box.id)).map((one) => [one.name, one.size]),
        [
          ['one.txt', 3],
          ['secret.txt', 16],
          ['secret (2).txt', 3],
        ].sort(),
      );
      assert.equal(await list.getByText('secret (2).txt').count(), 0);
      const [receipt] = await Promise.all([
        page.waitForEvent('download'),
        page.getByRole('button', { name: 'Save the receipt' }).click(),
      ]);
      assert.match(readFileSync(await receipt.path(), 'utf8'), /\b3 {2}[0-9a-f]{64} {2}one\.txt/);
      assert.equal(
        await page.evaluate(() => document.documentElement.scrollWidth > innerWidth),
        false,
        'nothing is wider than the screen',
      );
    },
    { phone },
  );
}

journey(
  'what is dropped waits for a busy server, and what may have arrived is asked about',
  async ({ page, account }) => {
    const box = await makeFolder(account, 'root', 'Busy box');
    const link = await makeLink(account, box.id, { role: 'dropper' });
    let busy = 2;
    await page.route('**/children/*/content?*', async (route) => {
      if (busy > 0) {
        busy -= 1;
        await route.fulfill({
          status: 503,
          headers: { 'Retry-After': '1' },
          contentType: 'application/problem+json',
          body: JSON.stringify({ type: 'about:blank', status: 503, code: 'unavailable', detail: 'busy' }),
        });
      } else {
        await route.continue();
      }
    });
    await visit(page, link);
    const pick = (...names) =>
      pickFiles(
        page,
        () => page.getByRole('button', { name: 'Choose files' }).click(),
        names.map((name) => ({ name, bytes: text(name) })),
      );
    await pick('1.txt', '2.txt', '3.txt', '4.txt');
    await page.getByText('4 files have arrived').waitFor();
    await loseAnswers(page, 1);
    await pick('lost.txt');
    await page.getByText('it may have arrived').waitFor();
    await page.getByRole('button', { name: 'Cancel lost.txt' }).click();
    await page.getByText('so it may have arrived').waitFor();
    assert.equal(await page.evaluate(() => document.activeElement.localName), 'li', 'the focus stays in the row');
    // A photo's answer may be lost as well: what keeps its place says that it is there, once.
    await loseAnswers(page, 1);
    await pickFiles(page, () => page.getByRole('button', { name: 'Choose files' }).click(), [
      { name: 'photo.jpg', bytes: new Uint8Array(300 * 1024) },
    ]);
    await page.getByText('5 files have arrived').waitFor();
    assert.deepEqual((await children(account, box.id)).map((one) => one.name).sort(), [
      '1.txt',
      '2.txt',
      '3.txt',
      '4.txt',
      'lost.txt',
      'photo.jpg',
    ]);
  },
);

journey('more files are dropped than may come at once, and all of them arrive', async ({ page, account }) => {
  const box = await makeFolder(account, 'root', 'Small box');
  const link = await makeLink(account, box.id, { role: 'dropper' });
  // More often than a failing line is tried.
  let limited = 40;
  await page.route('**/children/*/content?*', async (route) => {
    if (limited > 0) {
      limited -= 1;
      await route.fulfill({
        status: 429,
        headers: { 'Retry-After': '0' },
        contentType: 'application/problem+json',
        body: JSON.stringify({ type: 'about:blank', status: 429, code: 'rate_limited', detail: 'later' }),
      });
    } else {
      await route.continue();
    }
  });
  await visit(page, link);
  await pickFiles(
    page,
    () => page.getByRole('button', { name: 'Choose files' }).click(),
    ['1.txt', '2.txt', '3.txt'].map((name) => ({ name, bytes: text(name) })),
  );
  await page.getByText('3 files have arrived').waitFor();
  assert.equal((await children(account, box.id)).length, 3);
});

journey('of hundreds of files that are put in, more are listed as one wishes', async ({ page, account }) => {
  const box = await makeFolder(account, 'root', 'Large box');
  const link = await makeLink(account, box.id, { role: 'dropper', label: 'All of them' });
  await page.route('**/children/*/content?*', () => {});
  await visit(page, link);
  await page.getByRole('heading', { name: 'All of them' }).waitFor();
  await dropFiles(
    page,
    Array.from({ length: 250 }, (_, at) => ({ name: `${at}.txt`, bytes: text('x') })),
  );
  const list = page.getByRole('region', { name: 'Your files' });
  await list.getByText('250 files on their way').waitFor();
  const rows = list.getByRole('listitem');
  assert.equal(await rows.count(), 100);
  await list.getByRole('button', { name: 'Show more: 150 files are not listed' }).click();
  await list.getByRole('button', { name: 'Show more: 50 files are not listed' }).click();
  assert.equal(await rows.count(), 250);
  assert.match(await page.evaluate(() => document.activeElement.textContent), /200\.txt/, 'one goes on from there');
});

journey('a folder that is put in and takes long to be read is seen, and called off', async ({ page, account }) => {
  const box = await makeFolder(account, 'root', 'Patient box');
  const link = await makeLink(account, box.id, { role: 'dropper', label: 'A whole folder' });
  await visit(page, link);
  await page.getByRole('heading', { name: 'A whole folder' }).waitFor();
  await dropEndlessFolder(page);
  const seen = page.getByRole('group', { name: 'Reading folders…' });
  await seen.getByText('Reading folders… 2 files found').waitFor();
  await seen.getByRole('button', { name: 'Cancel', exact: true }).click();
  await seen.waitFor({ state: 'detached' });
  assert.equal((await children(account, box.id)).length, 0);
});

journey('an editor by a link adds files, and is asked about a name that is taken', async ({ page, account }) => {
  const { box } = await album(account);
  const link = await makeLink(account, box.id, { role: 'editor' });
  await visit(page, link);
  await entry(page, 'words.txt').waitFor();
  await dropFiles(page, [
    { name: 'words.txt', bytes: text('other words') },
    { name: 'new.txt', bytes: text('new') },
  ]);
  await entry(page, 'new.txt').waitFor();
  await page.getByText('There is a file with this name.').waitFor();
  await page.getByRole('button', { name: 'Replace', exact: true }).click();
  await until('it has other words', async () =>
    (await children(account, box.id)).some((one) => one.name === 'words.txt' && one.size === 11),
  );
});
