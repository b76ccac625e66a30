// Searching: typed above, found by name, text and tag, narrowed, opened.
import assert from 'node:assert/strict';
import { check } from '../support/axe.mjs';
import { address } from '../support/browser.mjs';
import { journey } from '../support/journey.mjs';
import { makeFolder, ok, until, upload } from '../support/product.mjs';
import { text } from '../support/samples.mjs';
import { place, signIn } from '../support/steps.mjs';

const box = (page) => page.getByRole('search').getByRole('textbox', { name: 'Search' }).filter({ visible: true });
const results = (page) => page.getByRole('region', { name: 'Search results' });
const hits = (page) => results(page).locator('[data-hit]');
const hit = (page, name) => results(page).getByRole('listitem').filter({ hasText: name });
const names = async (page) => (await hits(page).allTextContents()).map((one) => one.trim()).sort();
const filter = (page, name) =>
  results(page).getByRole('group', { name: 'Filters' }).getByRole('button', { name, exact: true });

/** Files that are found by their names, by what they say, and by their tags. */
async function furnish(account) {
  const trip = await makeFolder(account, 'root', 'Trip to the coast');
  const diary = await upload(account, trip.id, 'diary.txt', text('On Tuesday a Heron stood in the reeds.\n'));
  const list = await upload(account, 'root', 'shopping.md', text('# To buy\n\nBread, apples, a book about herons\n'));
  const heron = await makeFolder(account, 'root', 'Heron pictures');
  const tagged = await upload(account, 'root', 'drawing.svg', text('<svg xmlns="http://www.w3.org/2000/svg"/>'));
  await ok('PATCH', `/files/${tagged.id}`, { body: { tags: ['heron study'] }, token: account.token });
  // Texts are read by jobs.
  await until('all of it is found', async () => {
    const { items } = await ok('GET', '/search?q=heron', { token: account.token });
    return items.length === 4;
  });
  return { trip, diary, list, heron };
}

journey('what is typed is found by name, text and tag, and opened', async ({ page, account }) => {
  const { trip } = await furnish(account);
  await signIn(page, account);
  await page.keyboard.press('/');
  await page.keyboard.type('HERO');
  await page.waitForFunction(() => location.pathname === '/app/search');
  await until('all are found by the beginning of a word', async () => (await hits(page).count()) === 4);
  assert.deepEqual(await names(page), ['Heron pictures', 'diary.txt', 'drawing.svg', 'shopping.md']);
  await hit(page, 'diary.txt').locator('mark').filter({ hasText: 'Hero' }).first().waitFor();
  await hit(page, 'diary.txt').getByText('stood in the reeds').waitFor();
  await hit(page, 'diary.txt').getByText('Trip to the coast').waitFor();
  await check(page, 'search results');

  await box(page).fill('reeds tuesday');
  await until('only one has both words', async () => (await hits(page).count()) === 1);
  await hit(page, 'diary.txt').locator('[data-hit]').click();
  const viewer = page.getByRole('dialog');
  await viewer.getByText('On Tuesday a Heron stood in the reeds.').waitFor();
  await page.keyboard.press('Escape');
  await viewer.waitFor({ state: 'detached' });
  assert.equal(new URL(page.url()).searchParams.get('q'), 'reeds tuesday', 'one is back at what was found');

  await box(page).fill('coast');
  await until('the folder is found', async () => (await names(page)).join() === 'Trip to the coast');
  await hit(page, 'Trip to the coast').locator('[data-hit]').click();
  await page.waitForFunction((id) => location.pathname === `/app/files/${id}`, trip.id);
});

journey('whoever goes elsewhere while something is sought stays there', async ({ page, account }) => {
  await signIn(page, account);
  await place(page, 'Trash').waitFor();
  await box(page).fill('heron');
  // Sooner than it is asked for: nobody's hand, but a slow machine's.
  await page.evaluate(() => document.querySelector('a[href$="/app/trash"]').click());
  await until('the field says what is sought here', async () => (await box(page).inputValue()) === '');
  assert.equal(new URL(page.url()).pathname, '/app/trash');
});

journey('filters narrow what is found, and stay in the address', async ({ page, account }) => {
  await furnish(account);
  await signIn(page, account, '/app/search?q=heron');
  await until('all are found', async () => (await hits(page).count()) === 4);
  await filter(page, 'Kind').click();
  await page.getByRole('menuitemradio', { name: 'Folders' }).click();
  await until('only folders are left', async () => (await names(page)).join() === 'Heron pictures');
  await page.reload();
  await until('the address keeps the filter', async () => (await names(page)).join() === 'Heron pictures');
  await page.getByRole('button', { name: 'Without the filter Kind' }).click();
  await until('all are there again', async () => (await hits(page).count()) === 4);

  await filter(page, 'Tag').click();
  await page.getByRole('menuitemradio', { name: 'heron study' }).click();
  await until('only what has the tag is left', async () => (await names(page)).join() === 'drawing.svg');
  await filter(page, 'Kind').click();
  await page.getByRole('menuitemradio', { name: 'Folders' }).click();
  await page.getByText('Nothing fits both the words and the filters.').waitFor();
  await check(page, 'nothing found');
  await page.getByRole('button', { name: 'Search without filters' }).click();
  await until('all are there once more', async () => (await hits(page).count()) === 4);
});

journey('one comes back from a search to where one was', async ({ page, account }) => {
  const { trip } = await furnish(account);
  await signIn(page, account, `/app/files/${trip.id}`);
  await page.getByRole('grid').waitFor();
  await box(page).fill('heron');
  await until('all are found', async () => (await hits(page).count()) === 4);
  await page.getByRole('button', { name: 'In Trip to the coast' }).click();
  await until('only that of the folder is left', async () => (await names(page)).join() === 'diary.txt');
  await box(page).press('Escape');
  await page.waitForFunction((id) => location.pathname === `/app/files/${id}`, trip.id);

  await box(page).fill('no such word anywhere');
  await page.getByRole('heading', { name: 'Nothing was found' }).waitFor();
  await page.goto(`${address}/app/search`);
  await page.getByText('What are you looking for?').waitFor();
});

journey('a search that was too wide says so, and what to do', async ({ page, account }) => {
  await furnish(account);
  await page.route('**/api/v1/search?*', async (route) => {
    const answer = await route.fetch();
    const wide = !route.request().url().includes('type=folder');
    await route.fulfill({ response: answer, json: { ...(await answer.json()), incomplete: wide } });
  });
  await signIn(page, account, '/app/search?q=heron');
  await results(page).getByText('too wide to be finished').waitFor();
  assert.equal(await hits(page).count(), 4, 'what was found is shown all the same');
  await page.getByText('Found at least 4 items').waitFor({ state: 'attached' });
  await check(page, 'a search that was too wide');
  await filter(page, 'Kind').click();
  await page.getByRole('menuitemradio', { name: 'Folders' }).click();
  await until('only folders are left', async () => (await names(page)).join() === 'Heron pictures');
  await results(page).getByText('too wide to be finished').waitFor({ state: 'detached' });
  await box(page).fill('nothing-of-the-kind');
  await page.getByRole('button', { name: 'Without the filter Kind' }).click();
  await results(page).getByText('found nothing so far').waitFor();
});

journey('more of what is found that does not come is said, and asked for again', async ({ page, account }) => {
  await furnish(account);
  let away = true;
  await page.route('**/api/v1/search?*', async (route) => {
    if (!new URL(route.request().url()).searchParams.has('cursor')) {
      const answer = await route.fetch();
      await route.fulfill({ response: answer, json: { ...(await answer.json()), nextCursor: 'more' } });
    } else if (away) {
      await route.fulfill({ status: 503, json: { code: 'unavailable', status: 503, title: '', detail: '' } });
    } else {
      await route.fulfill({ json: { items: [], nextCursor: null, incomplete: false } });
    }
  });
  await signIn(page, account, '/app/search?q=heron');
  const missing = results(page).getByText('A part of this list could not be read.');
  await missing.waitFor();
  assert.equal(await hits(page).count(), 4, 'what came is shown all the same');
  assert.equal(await results(page).getByText('Loading…').count(), 0, 'nothing is on its way');
  await check(page, 'a search of which a part did not come');
  away = false;
  await results(page).getByRole('button', { name: 'Try again' }).click();
  await missing.waitFor({ state: 'detached' });
  await page.getByText('Found 4 items').waitFor({ state: 'attached' });
});
