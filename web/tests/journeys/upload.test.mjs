import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { check } from '../support/axe.mjs';
import { journey } from '../support/journey.mjs';
import { children, makeFolder, ok, until, upload } from '../support/product.mjs';
import { text } from '../support/samples.mjs';
import {
  choose,
  dropEndlessFolder,
  dropFiles,
  entry,
  isAskedBeforeLeaving,
  loseAnswers,
  loseSession,
  pickFiles,
  signIn,
  signInAndFollow,
  toast,
} from '../support/steps.mjs';

const tray = (page) => page.getByRole('region', { name: 'Uploads' });
const openNew = (page) => page.getByRole('button', { name: 'New', exact: true }).filter({ visible: true }).click();
const contentOf = async (account, id) => {
  const { address } = await import('../support/browser.mjs');
  return (
    await fetch(`${address}/api/v1/files/${id}/content`, { headers: { Authorization: `Bearer ${account.token}` } })
  ).text();
};

journey('files are dropped, picked and pasted', async ({ page, account }) => {
  await signIn(page, account);
  await page.getByText('This is the place for your files').waitFor();
  await dropFiles(page, [
    { name: 'dropped #1 100%?.txt', bytes: text('dropped') },
    { name: 'zero.bin', bytes: new Uint8Array() },
  ]);
  await entry(page, 'dropped #1 100%?.txt').waitFor();
  await entry(page, 'zero.bin').waitFor();
  await tray(page).getByText('Uploaded 2 files').first().waitFor();

  await pickFiles(page, async () => {
    await openNew(page);
    await choose(page, /Upload files/);
  }, [{ name: 'picked.txt', bytes: text('picked') }]);
  await entry(page, 'picked.txt').waitFor();

  await page.evaluate(() => {
    const data = new DataTransfer();
    data.items.add(new File(['pasted'], 'pasted.txt'));
    window.dispatchEvent(new ClipboardEvent('paste', { clipboardData: data, bubbles: true }));
  });
  await entry(page, 'pasted.txt').waitFor();
  const found = await children(account, 'root');
  assert.deepEqual(
    found.map((file) => [file.name, file.size]),
    [
      ['dropped #1 100%?.txt', 7],
      ['pasted.txt', 6],
      ['picked.txt', 6],
      ['zero.bin', 0],
    ],
  );
});

journey('a folder is uploaded with all that is in it', async ({ page, account }) => {
  const disk = mkdtempSync(join(tmpdir(), 'fm-e2e-'));
  mkdirSync(join(disk, 'trip', 'day 1'), { recursive: true });
  writeFileSync(join(disk, 'trip', 'plan.txt'), 'plan');
  for (let n = 0; n < 12; n++) writeFileSync(join(disk, 'trip', 'day 1', `note ${n}.txt`), `note ${n}`);
  await signIn(page, account);
  await page.getByText('This is the place for your files').waitFor();
  const [chooser] = await Promise.all([
    page.waitForEvent('filechooser'),
    (async () => {
      await openNew(page);
      await choose(page, 'Upload a folder');
    })(),
  ]);
  await chooser.setFiles(join(disk, 'trip'));
  await entry(page, 'trip').waitFor();
  await tray(page).getByText('Uploaded 13 files').first().waitFor();
  await entry(page, 'trip').dblclick();
  await entry(page, 'plan.txt').waitFor();
  await entry(page, 'day 1').dblclick();
  await entry(page, 'note 11.txt').waitFor();
});

journey('a drop onto a folder goes into it', async ({ page, account }) => {
  const box = await makeFolder(account, 'root', 'Box');
  await signIn(page, account);
  await entry(page, 'Box').waitFor();
  await dropFiles(page, [{ name: 'inside.txt', bytes: text('x') }], '.entry');
  await until('it lies in the folder', async () =>
    (await children(account, box.id)).some((file) => file.name === 'inside.txt'),
  );
});

journey('a name that is taken is asked about once for all', async ({ page, account }) => {
  const names = ['one.txt', 'two.txt', 'three.txt'];
  for (const name of names) await upload(account, 'root', name, text('old'));
  await signIn(page, account);
  await entry(page, 'one.txt').waitFor();
  await dropFiles(
    page,
    names.map((name) => ({ name, bytes: text('new') })),
  );
  await tray(page).getByText('3 files wait for your answer').first().waitFor();
  const question = page.getByRole('dialog', { name: /is there already/ });
  await question.getByText('There', { exact: true }).waitFor();
  assert.ok(await question.evaluate((one) => one === document.activeElement), 'no key presses a button of it');
  await question.getByRole('checkbox').check();
  await question.getByRole('button', { name: 'Keep both' }).click();
  await question.waitFor({ state: 'detached' });
  await until('both are kept', async () => (await children(account, 'root')).length === 6);
  const kept = (await children(account, 'root')).find((file) => file.name === 'one.txt');
  assert.equal(await contentOf(account, kept.id), 'old');

  await dropFiles(page, [{ name: 'one.txt', bytes: text('newest') }]);
  await question.getByRole('button', { name: 'Replace', exact: true }).click();
  assert.equal(await question.count(), 0, 'what is answered takes no further keys');
  await until('it is replaced', async () => (await contentOf(account, kept.id)) === 'newest');

  // What arrived although its answer was lost is no conflict with itself.
  await loseAnswers(page, 1);
  await dropFiles(page, [{ name: 'lost.txt', bytes: text('once') }]);
  await entry(page, 'lost.txt').waitFor();
  assert.equal(await question.count(), 0);
  assert.deepEqual(
    (await children(account, 'root')).map((one) => one.name).filter((name) => name.startsWith('lost')),
    ['lost.txt'],
  );

  // As long as what is there, so that only the bytes tell them apart.
  const digests = () => page.evaluate(() => window.digests);
  await page.evaluate(() => {
    window.digests = 0;
    const digest = crypto.subtle.digest.bind(crypto.subtle);
    crypto.subtle.digest = async (...all) => {
      const found = await digest(...all);
      window.digests += 1;
      return found;
    };
  });
  await dropFiles(page, [{ name: 'two.txt', bytes: text('odd') }]);
  await question.getByText('There', { exact: true }).waitFor();
  await until('both were compared', async () => (await digests()) === 1);
  assert.equal(await question.getByText('byte for byte').count(), 0);
  await page.keyboard.press('Escape');
  await tray(page).getByText('Skipped').waitFor();
  await dropFiles(page, [{ name: 'three.txt', bytes: text('old') }]);
  await question.getByText('Both are the same, byte for byte.').waitFor();
  await page.keyboard.press('Escape');
});

journey('while one types, a name that is taken is asked about in the tray', async ({ page, account }) => {
  await upload(account, 'root', 'one.txt', text('old'));
  await signIn(page, account);
  await entry(page, 'one.txt').waitFor();
  const question = page.getByRole('dialog', { name: /is there already/ });
  const search = page.getByRole('search').getByRole('textbox', { name: 'Search' }).filter({ visible: true });
  await search.focus();
  await dropFiles(page, [{ name: 'one.txt', bytes: text('new') }]);
  const answer = tray(page).getByRole('button', { name: 'Answer the question' });
  await answer.waitFor();
  await page.keyboard.type('query');
  assert.equal(await search.inputValue(), 'query');
  assert.equal(await question.count(), 0);
  await answer.click();
  await question.waitFor();
  await page.keyboard.press('Enter');
  await page.keyboard.press('Space');
  assert.ok(await question.isVisible());
  await question.getByRole('button', { name: 'Keep both' }).click();
  await question.waitFor({ state: 'detached' });
  await until('both are kept', async () => (await children(account, 'root')).length === 2);
});

journey('an answer for all is for what was dropped together, not for what comes meanwhile', async (their) => {
  const { page, account } = their;
  const box = await makeFolder(account, 'root', 'Box');
  for (const [folder, name] of [
    ['root', 'one.txt'],
    ['root', 'two.txt'],
    [box.id, 'one.txt'],
  ])
    await upload(account, folder, name, text('old'));
  await signIn(page, account);
  await entry(page, 'one.txt').waitFor();
  await page.route('**/children/slow.bin/content*', () => {});
  await dropFiles(
    page,
    ['one.txt', 'two.txt', 'slow.bin'].map((name) => ({ name, bytes: text('new') })),
  );
  const question = page.getByRole('dialog', { name: /is there already/ });
  await question.getByText('The same for 1 other').waitFor();
  await question.getByRole('checkbox').check();
  await question.getByRole('button', { name: 'Replace', exact: true }).click();
  await question.waitFor({ state: 'detached' });
  await until('both are replaced', async () =>
    (await children(account, 'root')).filter((file) => file.type === 'file').every((file) => file.version === 2),
  );
  await dropFiles(page, [{ name: 'one.txt', bytes: text('not asked for') }], '.entry');
  await question.waitFor();
  const [there] = await children(account, box.id);
  assert.equal(await contentOf(account, there.id), 'old');
  await page.keyboard.press('Escape');
  await tray(page).getByRole('button', { name: 'Cancel slow.bin', exact: true }).click();
});

journey('an upload is undone from the tray, and that is undone, too', async ({ page, account }) => {
  await signIn(page, account);
  await page.getByText('This is the place for your files').waitFor();
  await dropFiles(page, [{ name: 'hasty.txt', bytes: text('x') }]);
  await entry(page, 'hasty.txt').waitFor();
  await tray(page).getByRole('button', { name: 'Undo the upload of hasty.txt' }).click();
  await entry(page, 'hasty.txt').waitFor({ state: 'detached' });
  await toast(page, 'Moved “hasty.txt” to the trash').waitFor();
  await page.keyboard.press('Control+z');
  await entry(page, 'hasty.txt').waitFor();
  assert.equal((await children(account, 'root')).length, 1);
});

journey('what fails says why, and can be tried again', async ({ page, account }) => {
  await signIn(page, account);
  await page.getByText('This is the place for your files').waitFor();
  let refuse = true;
  await page.route('**/children/*/content*', (route) =>
    refuse
      ? route.fulfill({ status: 413, contentType: 'text/html', body: '<html>too large</html>' })
      : route.continue(),
  );
  await dropFiles(page, [{ name: 'big.bin', bytes: text('x') }]);
  await tray(page).getByText('A proxy in front of the server refused this').waitFor();
  await tray(page).getByText('1 file was not uploaded').first().waitFor();
  refuse = false;
  await tray(page).getByRole('button', { name: 'Try big.bin again' }).click();
  await entry(page, 'big.bin').waitFor();
});

journey('an upload waits out a service that is away, and a lost connection', async ({ page, account }) => {
  await signIn(page, account);
  await page.getByText('This is the place for your files').waitFor();
  let times = 0;
  await page.route('**/children/*/content*', (route) => {
    times += 1;
    if (times === 1)
      return route.fulfill({
        status: 503,
        headers: { 'Retry-After': '1' },
        contentType: 'application/problem+json',
        body: JSON.stringify({
          code: 'unavailable',
          status: 503,
          title: 'x',
          type: 'about:blank',
          detail: 'x',
          error: 'x',
        }),
      });
    if (times === 2) return route.abort('connectionreset');
    return route.continue();
  });
  await dropFiles(page, [{ name: 'patient.txt', bytes: text('x') }]);
  await entry(page, 'patient.txt').waitFor();
  assert.equal(times, 3);
});

journey('uploads can be cancelled, and leaving while they run is asked about', async ({ page, account }) => {
  await signIn(page, account);
  await page.getByText('This is the place for your files').waitFor();
  // One by one, or several in a form: nothing gets through.
  await page.route(/\/children(\/[^/]+\/content)?\?/, (route) => {
    if (route.request().method() === 'GET') return route.continue();
  });
  await dropFiles(
    page,
    [1, 2, 3, 4].map((n) => ({ name: `slow ${n}.bin`, bytes: text('x') })),
  );
  await tray(page).getByText('Uploading: 0 of 4 files').first().waitFor();

  // Chrome asks only where somebody has acted.
  await page.getByRole('heading', { name: 'Files', exact: true }).click();
  await isAskedBeforeLeaving(page);

  await tray(page).getByRole('button', { name: 'Cancel slow 1.bin' }).click();
  await tray(page).getByText('Cancelled').first().waitFor();
  await tray(page).getByRole('button', { name: 'Cancel all' }).click();
  await tray(page).getByRole('button', { name: 'Close the uploads' }).click();
  await tray(page).waitFor({ state: 'detached' });
  assert.equal((await ok('GET', '/files/root/children', { token: account.token })).total, 0);
});

journey('a folder that takes long to be read is seen, asked about, and called off', async ({ page, account }) => {
  await signIn(page, account);
  await page.getByText('This is the place for your files').waitFor();
  await dropEndlessFolder(page);
  await tray(page).getByText('Reading folders… 2 files found').waitFor();
  await check(page, 'folders that are read');
  await isAskedBeforeLeaving(page);

  await page
    .getByRole('button', { name: /^Account/ })
    .filter({ visible: true })
    .click();
  await choose(page, 'Sign out');
  const question = page.getByRole('alertdialog', { name: 'Sign out while uploading?' });
  await question.getByRole('button', { name: 'Cancel', exact: true }).click();
  await question.waitFor({ state: 'detached' });

  await tray(page).getByRole('button', { name: 'Cancel', exact: true }).click();
  await tray(page).waitFor({ state: 'detached' });
  assert.equal((await children(account, 'root')).length, 0);
});

journey('an upload goes on after signing in again', async ({ page, account }) => {
  await signInAndFollow(page, account);
  await page.getByText('This is the place for your files').waitFor();
  await loseSession(page, () => dropFiles(page, [{ name: 'kept.txt', bytes: text('x') }]));
  await page.getByRole('heading', { name: 'Sign in again' }).waitFor();
  await page.getByLabel('Password', { exact: true }).fill(account.password);
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  await entry(page, 'kept.txt').waitFor();
});
