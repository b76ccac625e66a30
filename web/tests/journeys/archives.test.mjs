// What is in an archive, shown without unpacking it.
import assert from 'node:assert/strict';
import { tar, tornZip, zip } from '../support/archives.mjs';
import { check } from '../support/axe.mjs';
import { journey } from '../support/journey.mjs';
import { until, upload } from '../support/product.mjs';
import { sample } from '../support/samples.mjs';
import { entry, signIn } from '../support/steps.mjs';

const viewer = (page, name) => page.getByRole('dialog', { name: `Viewing ${name}` });
const rows = (page) => page.locator('div[role=document] li');
const paths = (page) => rows(page).locator('.path').allInnerTexts();
const open = async (page, name) => {
  await entry(page, name).dblclick();
  await viewer(page, name).waitFor();
};
const close = async (page, name) => {
  await page.keyboard.press('Escape');
  await viewer(page, name).waitFor({ state: 'detached' });
};
const numbered = (count) => Array.from({ length: count }, (_, n) => ({ name: `pages/page ${n}.txt` }));

journey('a zip and a tar show what is in them, and nothing of it is loaded or runs', async ({ page, account }) => {
  const hostile = '<img src=x onerror="document.title=\'taken\'">.html';
  const letter = { name: 'Briefe/für Ada 日本.txt', body: 'x'.repeat(1234), dated: true };
  const box = [{ name: 'Briefe/' }, letter, { name: hostile }, { name: '../../up.txt' }];
  await upload(account, 'root', 'box.zip', zip([...box, { name: 'diary.txt', body: 'secret', encrypted: true }]));
  await upload(account, 'root', 'papers.tar', tar([{ name: 'papers/' }, { name: 'papers/deed.txt', body: 'deed' }]));
  const contents = [];
  page.on('request', (request) => {
    if (/\/content|\/x$/.test(new URL(request.url()).pathname)) contents.push(request.url());
  });
  await signIn(page, account);
  // By the keyboard alone, from the list to the next file and back.
  await entry(page, 'box.zip').click();
  await page.keyboard.press('Enter');
  await viewer(page, 'box.zip').getByText('5 entries', { exact: true }).waitFor();
  assert.deepEqual(await paths(page), ['Briefe', 'Briefe/für Ada 日本.txt', hostile, 'up.txt', 'diary.txt']);
  await rows(page).nth(1).getByTitle('1,234 bytes').waitFor();
  await rows(page).nth(1).locator('time[datetime^="2023-11-14T22:13:20"]').waitFor();
  assert.equal(await viewer(page, 'box.zip').locator('time').count(), 1, 'a time without a zone is none');
  assert.deepEqual(await rows(page).filter({ hasText: 'Encrypted' }).locator('.path').allInnerTexts(), ['diary.txt']);
  await check(page, 'an archive');

  await page.keyboard.press('ArrowRight');
  await viewer(page, 'papers.tar').getByText('What is in this archive').waitFor();
  await viewer(page, 'papers.tar').getByText('papers/deed.txt').waitFor();
  assert.deepEqual(await paths(page), ['papers', 'papers/deed.txt']);
  await close(page, 'papers.tar');
  assert.deepEqual(contents, []);
  assert.doesNotMatch(await page.title(), /taken/);
});

journey('a long archive is read as far as one scrolls, by the keyboard as well', async ({ page, account }) => {
  await upload(account, 'root', 'book.zip', zip(numbered(350)));
  await upload(account, 'root', 'scroll.tar', tar(numbered(230)));
  let asked = 0;
  page.on('request', (request) => {
    if (request.url().includes('/entries')) asked += 1;
  });
  await signIn(page, account);
  await open(page, 'book.zip');
  await viewer(page, 'book.zip').getByText('350 entries', { exact: true }).waitFor();
  assert.equal(asked, 1, 'what nobody has scrolled to is not read');
  // The list has the focus, so its keys scroll at once.
  await page.keyboard.press('PageDown');
  await page.waitForFunction(() => document.querySelector('[role=document]').scrollTop > 100);
  const toTheEnd = (count) =>
    until('the last entry is there', async () => {
      await page.keyboard.press('End');
      return (await rows(page).count()) === count;
    });
  await toTheEnd(350);
  await rows(page).last().getByText('pages/page 349.txt').waitFor();
  assert.equal(asked, 4);
  await close(page, 'book.zip');

  await open(page, 'scroll.tar');
  await rows(page).first().waitFor();
  await toTheEnd(230);
  assert.equal((await paths(page)).at(-1), 'pages/page 229.txt');
});

journey('a damaged archive says so, and keeps what was read of it', async ({ page, account }) => {
  const whole = zip(numbered(3));
  await upload(account, 'root', 'cut.zip', sample('zip-truncated.zip') ?? whole.subarray(0, whole.length - 30));
  const torn = tar(numbered(3));
  torn[512] ^= 1;
  await upload(account, 'root', 'torn.tar', torn);
  await upload(account, 'root', 'torn.zip', tornZip(numbered(150), 120));
  await upload(account, 'root', 'empty.zip', zip([]));
  await signIn(page, account);
  for (const name of ['cut.zip', 'torn.tar']) {
    await open(page, name);
    await viewer(page, name).getByRole('heading', { name: 'This could not be shown' }).waitFor();
    await viewer(page, name).getByText('This archive is damaged, encrypted, or of a kind').waitFor();
    await check(page, `the damaged ${name}`);
    await close(page, name);
  }

  await open(page, 'torn.zip');
  await viewer(page, 'torn.zip').getByText('150 entries', { exact: true }).waitFor();
  await page.keyboard.press('End');
  await viewer(page, 'torn.zip').getByText('This archive is damaged').waitFor();
  await viewer(page, 'torn.zip').getByRole('button', { name: 'Try again', exact: true }).waitFor();
  assert.equal(await rows(page).count(), 100);
  await close(page, 'torn.zip');

  await open(page, 'empty.zip');
  await viewer(page, 'empty.zip').getByText('The archive is empty.').waitFor();
});
