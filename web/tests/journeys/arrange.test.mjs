import assert from 'node:assert/strict';
import { journey } from '../support/journey.mjs';
import { children, makeFolder, ok, until, upload } from '../support/product.mjs';
import { text } from '../support/samples.mjs';
import { choose, entry, grid, place, signIn, toast, undoButton } from '../support/steps.mjs';

const fileOf = (account, id) => ok('GET', `/files/${id}`, { token: account.token });
const namesIn = async (account, folder) => (await children(account, folder)).map((file) => file.name).sort();

journey('a star is set by key, row and menu, gathers files of many folders, and is taken back', async (their) => {
  const { page, account } = their;
  const box = await makeFolder(account, 'root', 'Box');
  const plan = await upload(account, box.id, 'plan.txt', text('plan'));
  const note = await upload(account, 'root', 'note.txt', text('note'));
  await signIn(page, account);
  await entry(page, 'note.txt').click();
  await page.keyboard.press('*');
  await entry(page, 'note.txt').getByText('Starred').waitFor({ state: 'attached' });
  await until('the star is set', async () => (await fileOf(account, note.id)).starred);
  await page.keyboard.press('Control+z');
  await until('the star is taken off', async () => !(await fileOf(account, note.id)).starred);

  await page.getByRole('button', { name: 'List', exact: true }).click();
  await entry(page, 'note.txt').hover();
  await entry(page, 'note.txt').getByRole('button', { name: 'Star note.txt' }).click();
  await until('the star is set', async () => (await fileOf(account, note.id)).starred);
  await entry(page, 'Box').dblclick();
  await entry(page, 'plan.txt').click({ button: 'right' });
  await choose(page, /Add a star/);
  await until('the star is set', async () => (await fileOf(account, plan.id)).starred);

  await place(page, 'Starred').click();
  await entry(page, 'plan.txt').waitFor();
  await entry(page, 'note.txt').click();
  await page.keyboard.press('*');
  await entry(page, 'note.txt').waitFor({ state: 'detached' });
  await undoButton(page).click();
  await entry(page, 'note.txt').waitFor();
  await entry(page, 'plan.txt').click({ button: 'right' });
  await choose(page, /Show in its folder/);
  await page.getByRole('heading', { name: 'Box' }).waitFor();

  await place(page, 'Recent').click();
  await entry(page, 'plan.txt').waitFor();
  await entry(page, 'note.txt').waitFor();
});

journey('tags are given to several, completed while one types, and have a place each', async ({ page, account }) => {
  const box = await makeFolder(account, 'root', 'Box');
  const one = await upload(account, box.id, 'one.txt', text('one'));
  const two = await upload(account, box.id, 'two.txt', text('two'));
  await ok('PATCH', `/files/${one.id}`, { body: { tags: ['Garden'] }, token: account.token });
  const tagsOf = async ({ id }) => (await fileOf(account, id)).tags.sort();
  await signIn(page, account, `/app/files/${box.id}`);
  await entry(page, 'one.txt').waitFor();
  await grid(page).focus();
  await page.keyboard.press('Control+a');
  await page.keyboard.press('t');
  const dialog = page.getByRole('dialog', { name: 'Tags of 2 items' });
  await dialog.getByText('1 of 2').waitFor();
  const field = dialog.getByRole('combobox', { name: 'Add a tag' });
  await field.fill('gar');
  await dialog.getByRole('option', { name: 'Garden' }).waitFor();
  await field.press('ArrowDown');
  await field.press('Enter');
  await dialog.getByText('1 of 2').waitFor({ state: 'detached' });
  await field.fill('spring/summer 2026');
  await dialog.getByRole('button', { name: 'Save', exact: true }).click();
  await toast(page, 'Changed the tags of 2 items').waitFor();
  assert.deepEqual(await tagsOf(two), ['Garden', 'spring/summer 2026']);
  await page.keyboard.press('Control+z');
  await until('the tags are as before', async () => (await tagsOf(two)).length === 0);
  assert.deepEqual(await tagsOf(one), ['Garden']);

  // In the details of one, from where each leads to all that has it.
  await entry(page, 'two.txt').click();
  await page.keyboard.press('i');
  const details = page.getByRole('complementary', { name: 'Details' });
  await details.getByRole('combobox', { name: 'Add a tag' }).fill('spring/summer 2026');
  await page.keyboard.press('Enter');
  await details.getByRole('button', { name: 'Remove the tag spring/summer 2026' }).waitFor();
  await details.getByRole('link', { name: 'spring/summer 2026' }).click();
  await page.getByRole('heading', { name: 'spring/summer 2026' }).waitFor();
  await entry(page, 'two.txt').waitFor();
  await page.getByRole('link', { name: 'All tags', exact: true }).click();
  await page.getByRole('link', { name: /Garden\s*1 item/ }).click();
  await entry(page, 'one.txt').waitFor();
  await entry(page, 'one.txt').click();
  await details.getByRole('button', { name: 'Remove the tag Garden' }).click();
  await page.getByRole('heading', { name: 'Nothing has this tag' }).waitFor();
});

journey('copies are made by pasting, by dragging, and by choosing a folder', async ({ page, account }) => {
  const box = await makeFolder(account, 'root', 'Box');
  const trip = await makeFolder(account, 'root', 'Trip');
  for (let n = 1; n <= 3; n++) await upload(account, trip.id, `day ${n}.txt`, text(`day ${n}`));
  await upload(account, 'root', 'a.txt', text('a'));
  await signIn(page, account);
  await entry(page, 'a.txt').click();
  await page.keyboard.press('Control+c');
  await page.keyboard.press('Control+v');
  await toast(page, 'Copied “a.txt” to Files').waitFor();
  await entry(page, 'a (2).txt').waitFor();
  await page.keyboard.press('Control+z');
  await entry(page, 'a (2).txt').waitFor({ state: 'detached' });

  await page.keyboard.down('Control');
  await entry(page, 'a.txt').dragTo(entry(page, 'Box'));
  await page.keyboard.up('Control');
  await toast(page, 'Copied “a.txt” to Box').waitFor();
  assert.deepEqual(await namesIn(account, box.id), ['a.txt']);
  await entry(page, 'a.txt').waitFor();

  await entry(page, 'Trip').click({ button: 'right' });
  await choose(page, /Copy to/);
  const dialog = page.getByRole('dialog', { name: 'Copy “Trip”' });
  const here = dialog.locator('strong');
  await here.getByText('Files', { exact: true }).waitFor();
  // The folder that was opened is the one that is meant, however long the way to it takes to be known.
  const ways = '**/api/v1/files/*/path';
  let answer = (route) => route.fulfill({ status: 503, contentType: 'text/html', body: '' });
  await page.route(ways, (route) => answer(route));
  await dialog.getByRole('button', { name: 'Box', exact: true }).click();
  await here.getByText('Box', { exact: true }).waitFor();
  const failed = dialog.getByRole('alert');
  await failed.waitFor();
  answer = () => {};
  await failed.getByRole('button', { name: 'Try again', exact: true }).click();
  await failed.waitFor({ state: 'detached' });
  await dialog.getByRole('button', { name: 'Copy here', exact: true }).click();
  await toast(page, 'Copied “Trip” to Box').waitFor();
  await page.unroute(ways);
  const copy = (await children(account, box.id)).find((file) => file.name === 'Trip');
  assert.deepEqual(await namesIn(account, copy.id), ['day 1.txt', 'day 2.txt', 'day 3.txt']);
});

journey('of several that are moved, those that cannot be are told by name', async ({ page, account }) => {
  const box = await makeFolder(account, 'root', 'Box');
  for (const name of ['a.txt', 'b.txt', 'c.txt']) await upload(account, 'root', name, text(name));
  for (const name of ['a.txt', 'b.txt']) await upload(account, box.id, name, text('there already'));
  await signIn(page, account);
  await entry(page, 'a.txt').click();
  await entry(page, 'c.txt').click({ modifiers: ['Shift'] });
  await page.getByText('3 selected').waitFor();
  await entry(page, 'b.txt').dragTo(entry(page, 'Box'));
  await toast(page, 'Moved “c.txt” to Box').waitFor();
  await toast(page, '2 items failed: “a.txt”, “b.txt”').waitFor();
  await entry(page, 'a.txt').waitFor();
  await page.getByRole('button', { name: 'Show why' }).click();
  const dialog = page.getByRole('dialog', { name: '2 items failed' });
  await dialog.getByText('There is something with this name already').nth(1).waitFor();
  await dialog.getByText('Close', { exact: true }).click();
  await page.keyboard.press('Control+z');
  await entry(page, 'c.txt').waitFor();
  assert.deepEqual(await namesIn(account, box.id), ['a.txt', 'b.txt']);
});

journey('an old version is compared, restored and deleted', async ({ page, account }) => {
  const { id } = await upload(account, 'root', 'letter.txt', text('first, and a little longer'));
  await upload(account, 'root', 'letter.txt', text('second'), '?onConflict=replace');
  const contentOf = async () =>
    (
      await fetch(`${process.env.FM_E2E_ADDRESS}/api/v1/files/${id}/content`, {
        headers: { Authorization: `Bearer ${account.token}` },
      })
    ).text();
  await signIn(page, account);
  await entry(page, 'letter.txt').click({ button: 'right' });
  await choose(page, /Versions/);
  const versions = page.getByRole('region', { name: 'Versions' });
  await versions.getByText('you').first().waitFor();
  const act = async (number, name) => {
    await versions.getByRole('button', { name: `Actions for version ${number}` }).click();
    await choose(page, name);
  };
  const [download] = await Promise.all([page.waitForEvent('download'), act(1, 'Download')]);
  assert.equal(download.suggestedFilename(), 'letter.txt');
  await act(1, 'Compare with now');
  await versions.getByText('20 bytes more than now.').waitFor();
  await versions.getByRole('button', { name: 'Restore', exact: true }).click();
  await toast(page, 'Restored version 1').waitFor();
  await versions.getByRole('button', { name: 'Actions for version 3' }).waitFor();
  assert.equal(await contentOf(), 'first, and a little longer');
  await page.keyboard.press('Control+z');
  await until('the content is as before', async () => (await contentOf()) === 'second');
  await versions.getByRole('button', { name: 'Actions for version 4' }).waitFor();
  await act(1, 'Delete this version');
  await page.getByRole('alertdialog').getByRole('button', { name: 'Delete for good' }).click();
  await versions.getByRole('button', { name: 'Actions for version 1' }).waitFor({ state: 'detached' });
  assert.equal((await ok('GET', `/files/${id}/versions`, { token: account.token })).items.length, 3);
});
