// The rubber band, cutting and pasting, and what a folder remembers.
import assert from 'node:assert/strict';
import { journey } from '../support/journey.mjs';
import { children, makeFolder, until, upload } from '../support/product.mjs';
import { picture, text } from '../support/samples.mjs';
import { choose, entry, grid, signIn } from '../support/steps.mjs';

const chosen = (page) =>
  grid(page)
    .locator('.entry[aria-selected=true] .name')
    .evaluateAll((all) => all.map((one) => one.title));

/** Draws a band from one point to another, relative to the list. */
async function draw(page, from, to, { release = true } = {}) {
  const box = await grid(page).boundingBox();
  await page.mouse.move(box.x + from[0], box.y + from[1]);
  await page.mouse.down();
  for (let step = 1; step <= 8; step++)
    await page.mouse.move(
      box.x + from[0] + ((to[0] - from[0]) * step) / 8,
      box.y + from[1] + ((to[1] - from[1]) * step) / 8,
    );
  if (release) await page.mouse.up();
}

journey('a rubber band selects what it touches, in both views', async ({ page, account }) => {
  for (const name of ['a.txt', 'b.txt', 'c.txt', 'd.txt']) await upload(account, 'root', name, text(name));
  await signIn(page, account);
  await entry(page, 'd.txt').waitFor();
  const box = await grid(page).boundingBox();
  const last = await entry(page, 'd.txt').boundingBox();
  const second = await entry(page, 'b.txt').boundingBox();
  // From the empty ground below, over the third and the fourth.
  const below = [last.x + last.width - 10 - box.x, last.y + last.height + 60 - box.y];
  await draw(page, below, [second.x + second.width + 30 - box.x, last.y + 20 - box.y]);
  assert.deepEqual(await chosen(page), ['c.txt', 'd.txt']);
  assert.equal(await page.locator('.band').count(), 0);

  // With Ctrl it adds; Escape takes back what it did.
  const first = await entry(page, 'a.txt').boundingBox();
  const under = [first.x + 10 - box.x, first.y + first.height + 60 - box.y];
  await page.keyboard.down('Control');
  await draw(page, under, [first.x + 30 - box.x, first.y + 20 - box.y], { release: false });
  await page.locator('.band').waitFor();
  assert.deepEqual(await chosen(page), ['a.txt', 'c.txt', 'd.txt']);
  await page.keyboard.press('Escape');
  await page.mouse.up();
  await page.keyboard.up('Control');
  assert.deepEqual(await chosen(page), ['c.txt', 'd.txt']);
  await page.mouse.click(box.x + below[0], box.y + below[1]);
  assert.deepEqual(await chosen(page), []);

  await page.getByRole('button', { name: 'List', exact: true }).click();
  await page.getByRole('columnheader', { name: 'Name' }).waitFor();
  const list = await grid(page).boundingBox();
  const row = await entry(page, 'b.txt').boundingBox();
  const end = await entry(page, 'd.txt').boundingBox();
  // From the emptier part of a row, where nothing would be dragged.
  await draw(page, [row.width * 0.6, row.y + 10 - list.y], [row.width * 0.7, end.y + 10 - list.y]);
  assert.deepEqual(await chosen(page), ['b.txt', 'c.txt', 'd.txt']);
});

journey('what is cut is moved where it is pasted, and can be taken back', async ({ page, account }) => {
  const box = await makeFolder(account, 'root', 'Box');
  await upload(account, 'root', 'one.txt', text('1'));
  await upload(account, 'root', 'two.txt', text('2'));
  await signIn(page, account);
  await entry(page, 'one.txt').click();
  await entry(page, 'two.txt').click({ modifiers: ['Control'] });
  await page.keyboard.press('Control+x');
  await page.locator('.entry.cut').nth(1).waitFor();
  await entry(page, 'Box').dblclick();
  await page.getByText('This folder is empty').waitFor();
  await page.keyboard.press('Control+v');
  await entry(page, 'two.txt').waitFor();
  await until('both are moved', async () => (await children(account, box.id)).length === 2);
  assert.equal(await page.locator('.entry.cut').count(), 0);
  await page.keyboard.press('Control+z');
  await until('both are back', async () => (await children(account, 'root')).length === 3);

  // By the menu, into a folder that is pointed at; Escape gives up.
  await page.goBack();
  await entry(page, 'one.txt').click({ button: 'right' });
  await choose(page, /^Cut/);
  await page.locator('.entry.cut').first().waitFor();
  await entry(page, 'Box').click({ button: 'right' });
  await choose(page, /Paste here/);
  await until('one is moved', async () => (await children(account, box.id)).length === 1);
});

journey('a folder keeps its order and its view, and going back its place', async ({ page, account }) => {
  const many = await makeFolder(account, 'root', 'Many');
  for (let n = 0; n < 60; n++) await makeFolder(account, many.id, `folder ${n}`);
  await signIn(page, account);
  await entry(page, 'Many').dblclick();
  await entry(page, 'folder 0').waitFor();
  await page.getByRole('button', { name: 'List', exact: true }).click();
  await page.getByRole('columnheader', { name: 'Name' }).getByRole('button').click();
  await entry(page, 'folder 59').waitFor();
  await grid(page).evaluate((one) => one.scrollTo(0, 900));
  await entry(page, 'folder 35').waitFor();
  const top = await grid(page).evaluate((one) => one.scrollTop);
  await entry(page, 'folder 35').dblclick();
  await page.getByText('This folder is empty').waitFor();
  await page.goBack();
  await entry(page, 'folder 35').waitFor();
  assert.equal(await grid(page).evaluate((one) => one.scrollTop), top);
  await page.locator('[aria-sort="descending"]').waitFor();

  // Another folder that was given another view keeps that.
  await page.goBack();
  await entry(page, 'Many').waitFor();
  await page.getByRole('button', { name: 'Grid', exact: true }).click();
  await entry(page, 'Many').dblclick();
  await page.locator('[aria-sort="descending"]').waitFor();
  await page.reload();
  await page.locator('[aria-sort="descending"]').waitFor();
});

journey('a slideshow goes on by itself, and round', async ({ page, account }) => {
  for (let n = 1; n <= 3; n++) await upload(account, 'root', `p${n}.png`, picture(200, 100, n * 90));
  await upload(account, 'root', 'between.txt', text('x'));
  await signIn(page, account);
  await entry(page, 'p3.png').dblclick();
  await page.getByRole('dialog', { name: 'Viewing p3.png' }).waitFor();
  await page.keyboard.press('Space');
  await page.getByRole('button', { name: 'Stop slideshow' }).waitFor();
  await page.getByRole('dialog', { name: 'Viewing p1.png' }).waitFor();
  await page.getByRole('dialog', { name: 'Viewing p2.png' }).waitFor();
  await page.getByRole('button', { name: 'Stop slideshow' }).click();
  await page.getByRole('button', { name: 'Start slideshow' }).waitFor();
});
