import assert from 'node:assert/strict';
import { journey } from '../support/journey.mjs';
import { children, makeFolder, ok, until, upload } from '../support/product.mjs';
import { text } from '../support/samples.mjs';
import { choose, entry, grid, place, signIn, signInAndFollow, toast, undoButton } from '../support/steps.mjs';

const fill = async (account, names) => {
  for (const name of names) await upload(account, 'root', name, text(name));
};
const selected = (page) =>
  grid(page)
    .locator('[aria-selected="true"] .name')
    .evaluateAll((all) => all.map((one) => one.title));

journey('several are selected by click, Ctrl, Shift and Ctrl-A', async ({ page, account }) => {
  await fill(account, ['a.txt', 'b.txt', 'c.txt', 'd.txt', 'e.txt']);
  await signIn(page, account);
  await entry(page, 'b.txt').click();
  assert.deepEqual(await selected(page), ['b.txt']);
  await entry(page, 'd.txt').click({ modifiers: ['Shift'] });
  await page.getByText('3 selected').waitFor();
  assert.deepEqual(await selected(page), ['b.txt', 'c.txt', 'd.txt']);
  await entry(page, 'c.txt').click({ modifiers: ['Control'] });
  assert.deepEqual(await selected(page), ['b.txt', 'd.txt']);
  await page.keyboard.press('Control+a');
  await page.getByText('5 selected').waitFor();
  await page.keyboard.press('Escape');
  assert.deepEqual(await selected(page), []);
});

journey('all of it works by the keyboard alone', async ({ page, account }) => {
  const folder = await makeFolder(account, 'root', 'box');
  await fill(account, ['a.txt', 'b.txt', 'c.txt']);
  await makeFolder(account, folder.id, 'inner');
  await signIn(page, account);
  await entry(page, 'a.txt').waitFor();
  await grid(page).focus();
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Shift+ArrowRight');
  await page.getByText('2 selected').waitFor();
  assert.deepEqual(await selected(page), ['a.txt', 'b.txt']);
  await page.keyboard.press('Home');
  assert.deepEqual(await selected(page), ['box']);
  await page.keyboard.press('Enter');
  await entry(page, 'inner').waitFor();
  await page.keyboard.press('Backspace');
  await entry(page, 'a.txt').waitFor();
  await page.keyboard.press('End');
  await page.keyboard.press('Shift+F10');
  await page.getByRole('menuitem', { name: 'Move to trash' }).waitFor();
  await page.keyboard.press('End');
  await page.keyboard.press('Enter');
  await toast(page, 'Moved “c.txt” to the trash').waitFor();
  await page.keyboard.press('?');
  await page.getByRole('dialog', { name: 'Keyboard shortcuts' }).waitFor();
  await page.keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'detached' });
});

journey('the cursor stays on its file when another one comes before it', async ({ page, account }) => {
  await fill(account, ['b.txt', 'c.txt']);
  await signInAndFollow(page, account);
  await entry(page, 'b.txt').waitFor();
  await grid(page).focus();
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Escape');
  await fill(account, ['a.txt']);
  await entry(page, 'a.txt').waitFor();
  await page.keyboard.press('Shift+F10');
  await page.getByRole('menuitem', { name: 'Move to trash' }).waitFor();
  assert.deepEqual(await selected(page), ['b.txt']);
});

journey('the trash gives back what was thrown away, by toast, by key, by itself', async ({ page, account }) => {
  await fill(account, ['a.txt', 'b.txt', 'c.txt']);
  await signIn(page, account);
  await entry(page, 'a.txt').click();
  await page.keyboard.press('Delete');
  await entry(page, 'a.txt').waitFor({ state: 'detached' });
  await toast(page, 'Moved “a.txt” to the trash').waitFor();
  await undoButton(page).click();
  await entry(page, 'a.txt').waitFor();

  await page.keyboard.press('Control+a');
  await page.keyboard.press('Delete');
  await page.getByText('This is the place for your files').waitFor();
  await page.keyboard.press('Control+z');
  await entry(page, 'c.txt').waitFor();
  await until('all are back', async () => (await children(account, 'root')).length === 3);

  await entry(page, 'b.txt').click({ button: 'right' });
  await choose(page, /Move to trash/);
  await place(page, 'Trash').click();
  await entry(page, 'b.txt').click();
  await page.getByRole('toolbar').getByRole('button', { name: 'Restore', exact: true }).click();
  await page.getByRole('heading', { name: 'The trash is empty' }).waitFor();
  await place(page, 'Files').click();
  await entry(page, 'b.txt').waitFor();
});

journey('what is deleted for good is asked about once, and then gone', async ({ page, account }) => {
  await fill(account, ['a.txt', 'b.txt', 'c.txt']);
  for (const file of await children(account, 'root')) await ok('DELETE', `/files/${file.id}`, { token: account.token });
  await signIn(page, account, '/app/trash');
  await entry(page, 'a.txt').click();
  await page.keyboard.press('Delete');
  const question = page.getByRole('alertdialog', { name: 'Delete “a.txt” for good?' });
  await question.waitFor();
  // Enter alone must lose nothing.
  await page.keyboard.press('Enter');
  await question.waitFor({ state: 'detached' });
  await entry(page, 'a.txt').waitFor();
  await entry(page, 'a.txt').click();
  await page.keyboard.press('Delete');
  await question.getByRole('button', { name: 'Delete for good' }).click();
  await entry(page, 'a.txt').waitFor({ state: 'detached' });
  await page.getByRole('button', { name: 'Empty trash', exact: true }).click();
  await page.getByRole('alertdialog').getByRole('button', { name: 'Empty trash', exact: true }).click();
  await page.getByRole('heading', { name: 'The trash is empty' }).waitFor();
  await until('the trash is empty', async () => (await ok('GET', '/trash', { token: account.token })).total === 0);
});

journey('the details tell what happened to a file, and what happens to it now', async ({ page, account }) => {
  const { id } = await upload(account, 'root', 'draft.txt', text('one'));
  const change = (body) => ok('PATCH', `/files/${id}`, { body, token: account.token });
  await change({ name: '<b>final.txt' });
  await signIn(page, account);
  await entry(page, '<b>final.txt').click();
  await page.keyboard.press('i');
  const details = page.getByRole('complementary', { name: 'Details' });
  await details.getByRole('button', { name: 'History', exact: true }).click();
  const history = details.getByRole('region', { name: 'History' });
  await history.getByText('Renamed from “draft.txt” to “<b>final.txt”').waitFor();
  await history.getByText('Created').waitFor();
  await history.getByText('· you').first().waitFor();
  // By a program, while somebody looks: the list, the details and the history follow.
  await change({ name: 'later.txt', tags: ['urgent'] });
  await entry(page, 'later.txt').waitFor();
  await history.getByText('Tags changed').waitFor();
  await details.getByRole('heading', { name: 'later.txt' }).waitFor();
});

journey('files move by drag and drop, and by choosing a folder', async ({ page, account }) => {
  const box = await makeFolder(account, 'root', 'Box');
  await makeFolder(account, box.id, 'Drawer');
  await fill(account, ['a.txt', 'b.txt', 'c.txt']);
  await signIn(page, account);
  await entry(page, 'a.txt').click();
  await entry(page, 'b.txt').click({ modifiers: ['Control'] });
  await entry(page, 'b.txt').dragTo(entry(page, 'Box'));
  await toast(page, 'Moved 2 items to Box').waitFor();
  await entry(page, 'a.txt').waitFor({ state: 'detached' });
  assert.equal((await children(account, box.id)).length, 3);

  await entry(page, 'c.txt').click();
  await page.keyboard.press('m');
  const dialog = page.getByRole('dialog');
  await dialog.getByRole('button', { name: 'Box', exact: true }).click();
  await dialog.getByRole('button', { name: 'Drawer', exact: true }).click();
  await dialog.getByText('There are no folders in here').waitFor();
  await dialog.getByRole('button', { name: 'Move here', exact: true }).click();
  await toast(page, 'Moved “c.txt” to Drawer').waitFor();
  await entry(page, 'c.txt').waitFor({ state: 'detached' });

  await page.keyboard.press('Control+z');
  await entry(page, 'c.txt').waitFor();

  // Out of the folder, onto the breadcrumb.
  await entry(page, 'Box').dblclick();
  await entry(page, 'a.txt').dragTo(
    page.getByRole('navigation', { name: 'Where you are' }).getByRole('link', { name: 'Files', exact: true }),
  );
  await toast(page, 'Moved “a.txt” to Files').waitFor();
});

journey('a file is downloaded whole, under its name', async ({ page, account }) => {
  await upload(account, 'root', 'grüße & more.txt', text('hello'));
  await signIn(page, account);
  await entry(page, 'grüße & more.txt').click();
  const [download] = await Promise.all([page.waitForEvent('download'), page.keyboard.press('d')]);
  assert.equal(download.suggestedFilename(), 'grüße & more.txt');
  const stream = await download.createReadStream();
  let got = '';
  for await (const part of stream) got += part;
  assert.equal(got, 'hello');
});

journey('folders and several files are downloaded as one archive', async ({ page, account }) => {
  const { id: trip } = await makeFolder(account, 'root', 'Trip');
  await upload(account, trip, 'inside.txt', text('deep'));
  await upload(account, 'root', 'a.txt', text('one'));
  await signIn(page, account);
  await entry(page, 'Trip').click();
  const [folder] = await Promise.all([page.waitForEvent('download'), page.keyboard.press('d')]);
  assert.equal(folder.suggestedFilename(), 'Trip.zip');
  await entry(page, 'a.txt').click({ modifiers: ['Control'] });
  const [both] = await Promise.all([page.waitForEvent('download'), page.keyboard.press('d')]);
  assert.equal(both.suggestedFilename(), 'files.zip');
  const parts = [];
  for await (const part of await both.createReadStream()) parts.push(part);
  // Stored, not compressed: what is in it can be seen.
  const bytes = Buffer.concat(parts).toString('latin1');
  assert.equal(bytes.slice(0, 2), 'PK');
  for (const name of ['Trip/inside.txt', 'deep', 'a.txt', 'one']) assert.ok(bytes.includes(name), name);
});

journey('many messages leave the list in sight, and the focus where it was', async ({ page, account }) => {
  const names = [1, 2, 3, 4, 5, 6, 7, 8].map((n) => `a${n}.txt`);
  const late = ['b1.txt', 'b2.txt', 'b3.txt', 'b4.txt'];
  await fill(account, [...names, ...late]);
  await signIn(page, account);
  await entry(page, 'a1.txt').click();
  const refuse = (route) => route.fulfill({ status: 500, contentType: 'text/html', body: '' });
  await page.route('**/files/batch', refuse);
  for (const name of names) {
    await page.keyboard.press('*');
    await toast(page, `“${name}”`).waitFor();
    await page.keyboard.press('ArrowRight');
  }
  const messages = page.getByRole('region', { name: 'Messages' });
  const box = await messages.boundingBox();
  assert.ok(box.height < 0.45 * page.viewportSize().height, `${box.height}`);
  const last = await toast(page, '“a8.txt”').boundingBox();
  assert.ok(last.y > box.y && last.y + last.height <= box.y + box.height, 'the newest is in sight');
  // By keys from message to message, by a press back to the list.
  const close = messages.getByRole('button', { name: 'Dismiss' });
  const within = () => page.evaluate(() => document.activeElement.closest('[role=region], [role=grid]')?.role);
  // More than are kept otherwise come while the focus is there: nothing goes from under it.
  const waiting = [];
  await page.route('**/files/batch', (route) => waiting.push(route));
  for (let at = 1; at <= late.length; at++) {
    await page.keyboard.press('*');
    await until('it is asked for', async () => waiting.length === at);
    await page.keyboard.press('ArrowRight');
  }
  await close.first().focus();
  for (const route of waiting) await refuse(route);
  for (const name of late) await toast(page, `“${name}”`).waitFor();
  await page.keyboard.press('Tab');
  assert.equal(await close.count(), names.length + late.length);
  assert.equal(await within(), 'region');
  await page.keyboard.press('Shift+Tab');
  await page.keyboard.press('Enter');
  await toast(page, '“a1.txt”').waitFor({ state: 'detached' });
  assert.equal(await within(), 'region');
  await grid(page).focus();
  await close.last().click();
  await toast(page, '“b4.txt”').waitFor({ state: 'detached' });
  assert.equal(await within(), 'grid');
});

journey('a dialog that is left while it waits closes no other', async ({ page, account }) => {
  await signIn(page, account);
  await place(page, 'Trash').click();
  await page.waitForFunction(() => location.pathname === '/app/trash');
  await place(page, 'Files').click();
  await page.getByText('This is the place for your files').waitFor();
  let answer;
  await page.route('**/api/v1/files', (route) => {
    answer = () => route.continue();
  });
  const dialog = page.getByRole('dialog', { name: 'New folder' });
  const openNew = async () => {
    await page.getByRole('button', { name: 'New', exact: true }).filter({ visible: true }).click();
    await choose(page, 'New folder');
  };
  await openNew();
  await dialog.getByRole('textbox').fill('First');
  await page.keyboard.press('Enter');
  await until('it is asked for', async () => answer !== undefined);
  await page.keyboard.press('Escape');
  await dialog.getByRole('button', { name: 'Discard' }).click();
  await dialog.waitFor({ state: 'detached' });
  await openNew();
  await dialog.getByRole('textbox').fill('Second');
  answer();
  await toast(page, 'First').waitFor();
  assert.equal(await dialog.getByRole('textbox').inputValue(), 'Second');
  // The browser's way back asks as Escape does, and leads nowhere from there.
  await page.evaluate(() => history.back());
  await dialog.getByRole('group', { name: 'Discard what you typed?' }).waitFor();
  await page.waitForFunction(() => location.pathname === '/app/files');
  assert.equal(await dialog.getByRole('textbox').inputValue(), 'Second');
});
