import assert from 'node:assert/strict';
import { journey } from '../support/journey.mjs';
import { makeFolder, ok } from '../support/product.mjs';
import { entry, grid, place, signIn, toast } from '../support/steps.mjs';

const COUNT = Number(process.env.FM_E2E_LARGE ?? 1200);

/** Folders are the cheapest entries: no content, no job. */
async function fill(account, parent) {
  let next = 1;
  const worker = async () => {
    for (let n = next++; n <= COUNT; n = next++)
      await ok('POST', '/files', { body: { parentId: parent, name: `entry ${n}` }, token: account.token });
  };
  await Promise.all(Array.from({ length: 8 }, worker));
}

journey('a large folder is drawn and loaded only where one looks', async ({ page, account }) => {
  const folder = await makeFolder(account, 'root', 'Large');
  await fill(account, folder.id);
  const asked = [];
  page.on(
    'request',
    (request) => request.url().includes('/children?') && asked.push(new URL(request.url()).searchParams),
  );
  await signIn(page, account, `/app/files/${folder.id}`);
  await page.getByRole('button', { name: 'List', exact: true }).click();
  await entry(page, 'entry 1').waitFor();
  await page
    .getByText(`${COUNT.toLocaleString('en')} items`)
    .first()
    .waitFor();

  assert.ok((await grid(page).locator('.entry').count()) < 80, 'only what is seen is in the document');
  asked.length = 0;
  await grid(page).focus();
  await page.keyboard.press('End');
  await entry(page, `entry ${COUNT}`).waitFor();
  const offsets = asked.map((query) => Number(query.get('offset'))).filter((offset) => offset > 0);
  assert.ok(
    offsets.length <= 4 && offsets.every((offset) => offset >= COUNT - 300),
    `what lies between is not loaded: ${offsets}`,
  );

  // Coming back finds the place where one was.
  await place(page, 'Trash').click();
  await page.getByRole('heading', { name: 'Trash' }).first().waitFor();
  await page.goBack();
  await entry(page, `entry ${COUNT}`).waitFor();

  // All of it can be selected without loading it.
  asked.length = 0;
  await grid(page).focus();
  await page.keyboard.press('Control+a');
  await page.getByText(`${COUNT.toLocaleString('en')} selected`).waitFor();
  assert.ok(asked.length <= 2);

  // All of it is dragged then, loaded or not.
  const count = COUNT.toLocaleString('en');
  const totalOf = async (path) => (await ok('GET', `${path}?limit=1`, { token: account.token })).total;
  const totals = async () => [await totalOf(`/files/${folder.id}/children`), await totalOf('/trash')];
  await page.keyboard.press('Home');
  await entry(page, 'entry 2').waitFor();
  await page.keyboard.press('Control+a');
  await page.getByText(`${count} selected`).waitFor();
  await entry(page, 'entry 2').dragTo(place(page, 'Trash'));
  await toast(page, `Moved ${count} items to the trash`).waitFor();
  assert.deepEqual(await totals(), [0, COUNT]);

  // One of them cannot come back: all others do.
  const { items } = await ok('GET', '/trash?limit=1', { token: account.token });
  await ok('DELETE', `/files/${items[0].id}?permanent=true`, { token: account.token });
  await page.keyboard.press('Control+z');
  await toast(page, `${(COUNT - 1).toLocaleString('en')} of ${count} items are as before`).waitFor();
  assert.deepEqual(await totals(), [COUNT - 1, 0]);

  // So is a range over entries that nobody has looked at.
  const rest = (COUNT - 1).toLocaleString('en');
  await page.getByText(`${rest} items`).first().waitFor();
  await grid(page).focus();
  await page.keyboard.press('Home');
  await page.keyboard.press('Shift+End');
  await page.getByText(`${rest} selected`).waitFor();
  await page.keyboard.press('Delete');
  await toast(page, `Moved ${rest} items to the trash`).waitFor();
  assert.deepEqual(await totals(), [0, COUNT - 1]);
});
