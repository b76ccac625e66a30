// Sharing with people: the dialog, the places, and what a role allows.
import assert from 'node:assert/strict';
import { address } from '../support/browser.mjs';
import { journey } from '../support/journey.mjs';
import { children, makeFolder, newAccount, ok, until, upload } from '../support/product.mjs';
import { text } from '../support/samples.mjs';
import { colleagues, linksOf, sharesOf, shareWith } from '../support/sharing.mjs';
import { choose, dropFiles, entry, place, signIn, toast } from '../support/steps.mjs';

const dialog = (page) => page.getByRole('dialog', { name: /^Share “/ });

async function openSharing(page, name) {
  await entry(page, name).click({ button: 'right' });
  await choose(page, /^Share…/);
  await dialog(page).getByRole('combobox').first().waitFor();
}

journey('people and groups are found while one types, given roles, and taken back', async ({ page, account }) => {
  const box = await makeFolder(account, 'root', 'Box');
  const { other, group } = await colleagues(account);
  await signIn(page, account);
  await openSharing(page, 'Box');
  const field = dialog(page).getByRole('combobox', { name: 'Add people or groups' });
  await field.pressSequentially(other.email.slice(0, 12));
  await page.getByRole('option', { name: other.email }).first().waitFor();
  // By the keyboard alone: the role before, then the first that was found.
  await dialog(page).getByLabel('Role for who is added').selectOption('editor');
  await field.focus();
  await field.press('End');
  await field.press('ArrowDown');
  await field.press('ArrowUp');
  await field.press('Enter');
  await dialog(page).getByText(`${other.email} is now Editor`).waitFor();
  assert.deepEqual(
    (await sharesOf(account, box.id)).map((one) => [one.grantee.address, one.role]),
    [[other.email, 'editor']],
  );

  await field.fill(`team ${other.email.slice(0, 12)}`);
  await page.getByRole('option', { name: /Group with 2 members/ }).click();
  await until('the group has a right', async () => (await sharesOf(account, box.id)).length === 2);

  await dialog(page).getByLabel(`Role of ${group.name}`).selectOption('manager');
  await until('the group manages', async () =>
    (await sharesOf(account, box.id)).some((one) => one.grantee.type === 'group' && one.role === 'manager'),
  );
  await dialog(page).getByRole('button', { name: 'Undo', exact: true }).click();
  await until('the group has its role again', async () =>
    (await sharesOf(account, box.id)).some((one) => one.grantee.type === 'group' && one.role === 'editor'),
  );

  await dialog(page)
    .getByRole('button', { name: `Remove ${other.email}` })
    .click();
  await dialog(page).getByText(`${other.email} has no access any more`).waitFor();
  await until('it is taken', async () => (await sharesOf(account, box.id)).length === 1);
  await dialog(page).getByRole('button', { name: 'Undo', exact: true }).click();
  await until('it is given again', async () =>
    (await sharesOf(account, box.id)).some((one) => one.grantee.address === other.email && one.role === 'editor'),
  );

  // Who cannot be asked for is not said to be nobody.
  await page.route('**/api/v1/people?*', (route) => route.abort());
  await field.fill('somebody');
  await dialog(page).getByText('The server cannot be reached').waitFor();
  assert.equal(await dialog(page).getByText('Nobody found').count(), 0);
  await page.unroute('**/api/v1/people?*');

  await field.fill('nobody@example.org');
  await field.press('Enter');
  await dialog(page).getByText('Nobody here has this address.').waitFor();
  // What was typed is given up by a button only: Escape once more takes the question back.
  const discard = dialog(page).getByRole('group', { name: 'Discard what you typed?' });
  await page.keyboard.press('Escape');
  await discard.waitFor();
  await page.keyboard.press('Escape');
  await discard.waitFor({ state: 'detached' });
  assert.equal(await field.inputValue(), 'nobody@example.org');
  await page.mouse.click(3, 3);
  await discard.getByRole('button', { name: 'Discard', exact: true }).click();
  await dialog(page).waitFor({ state: 'detached' });
  await entry(page, 'Box').getByText('Shared with others').waitFor();

  // The same dialog by its key, and from the details.
  await entry(page, 'Box').click();
  await page.keyboard.press('s');
  await dialog(page).waitFor();
  await page.keyboard.press('Escape');
  await dialog(page).waitFor({ state: 'detached' });
  await page.keyboard.press('i');
  await page
    .getByRole('complementary', { name: 'Details' })
    .getByRole('button', { name: 'Share', exact: true })
    .click();
  await dialog(page).getByText(other.email).first().waitFor();
});

journey('what comes from a folder above is shown with where it comes from', async ({ page, account }) => {
  const above = await makeFolder(account, 'root', 'Above');
  const below = await makeFolder(account, above.id, 'Below');
  await upload(account, below.id, 'deep.txt', text('deep'));
  const other = await newAccount('heir');
  await shareWith(account, above.id, 'viewer', other);
  await signIn(page, account, `/app/files/${below.id}`);
  await openSharing(page, 'deep.txt');
  const inherited = dialog(page).getByRole('region', { name: 'By folders above' });
  await inherited.getByText(other.email).waitFor();
  await inherited.getByText('from Above').waitFor();
  await inherited.getByRole('button', { name: 'Sharing of Above' }).click();
  await page.getByRole('dialog', { name: 'Share “Above”' }).getByLabel(`Role of ${other.email}`).selectOption('editor');
  await until('the right above is changed', async () => (await sharesOf(account, above.id))[0].role === 'editor');
});

journey('a link is made, copied, shown as a picture, changed and ended', async ({ page, account }) => {
  const box = await makeFolder(account, 'root', 'Album');
  await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
  await signIn(page, account, `/app/files/${box.id}`);
  await page.getByRole('button', { name: 'Share this folder' }).click();
  await dialog(page).getByRole('button', { name: 'New link' }).click();
  const form = page.getByRole('dialog', { name: 'New link to “Album”' });
  await form.getByLabel('Label').fill('Grandparents');
  await form.getByLabel('Password').fill('apple pie');
  await form.getByLabel('Download limit').fill('none');
  await form.getByRole('button', { name: 'Make link' }).click();
  await form.getByText('Please enter a whole number').waitFor();
  await form.getByLabel('Download limit').fill('3');
  await form.getByLabel('Tell me when it is used').check();
  await form.getByLabel('Ends on').fill('2001-01-01');
  await form.getByRole('button', { name: 'Make link' }).click();
  await form.getByText('This lies in the past').waitFor();
  const year = new Date().getFullYear() + 1;
  await form.getByLabel('Ends on').fill(`${year}-05-01`);
  await form.getByRole('button', { name: 'Make link' }).click();
  await dialog(page).getByText('The link is ready').waitFor();
  const [made] = await linksOf(account, box.id);
  assert.equal(made.label, 'Grandparents');
  assert.equal(made.hasPassword, true);
  assert.equal(made.maxDownloads, 3);
  assert.match(made.expiresAt, new RegExp(`^${year}-05-01`));

  await dialog(page).getByRole('button', { name: 'Copy', exact: true }).click();
  await dialog(page).getByText('The address is copied').waitFor();
  const copied = await page.evaluate(() => navigator.clipboard.readText());
  assert.equal(copied, `${address}/app/s/${made.token}`);
  await dialog(page).getByRole('button', { name: 'QR code' }).click();
  await dialog(page).getByRole('img', { name: 'QR code of Grandparents' }).waitFor();

  await dialog(page).getByRole('button', { name: 'Change: Grandparents' }).click();
  const change = page.getByRole('dialog', { name: 'Change the link' });
  await change.getByLabel('What visitors may do').selectOption('preview-only');
  await change.getByLabel('Ask for no password any more').check();
  await change.getByLabel('Ends on').fill('');
  let answer;
  await page.route('**/api/v1/links/*', (route) => {
    answer = () => route.continue();
  });
  await change.getByRole('button', { name: 'Save', exact: true }).click();
  await until('it is asked for', async () => answer !== undefined);
  // Left before the answer: no other form can be begun until that is here, and this is seen.
  await change.getByRole('button', { name: 'Back', exact: true }).click();
  const another = dialog(page).getByRole('button', { name: 'New link' });
  assert.equal(await another.getAttribute('aria-busy'), 'true');
  assert.ok(await dialog(page).getByRole('button', { name: 'Change: Grandparents' }).isDisabled());
  answer();
  await page.unroute('**/api/v1/links/*');
  await dialog(page).getByText('The link is changed').waitFor();
  const [changed] = await linksOf(account, box.id);
  assert.deepEqual(
    [changed.role, changed.hasPassword, changed.expiresAt, changed.token],
    ['preview-only', false, null, made.token],
  );

  await dialog(page).getByRole('button', { name: 'End: Grandparents' }).click();
  await dialog(page).getByRole('button', { name: 'Keep it', exact: true }).click();
  await dialog(page).getByRole('button', { name: 'End: Grandparents' }).click();
  await dialog(page).getByRole('button', { name: 'End link' }).click();
  await dialog(page).getByText('The link has ended').waitFor();
  assert.deepEqual(await linksOf(account, box.id), []);
});

journey('what was shared with me stands in its place, and a role shows what it allows', async ({ page, account }) => {
  const owner = await newAccount('owner');
  const box = await makeFolder(owner, 'root', 'Joint work');
  const inner = await makeFolder(owner, box.id, 'Drafts');
  await upload(owner, inner.id, 'draft.txt', text('draft'));
  await shareWith(owner, box.id, 'viewer', account);
  await signIn(page, account, '/app/shared');
  await page.getByRole('cell', { name: owner.email }).waitFor();
  await page.getByRole('link', { name: 'Joint work' }).click();
  await entry(page, 'Drafts').waitFor();
  await entry(page, 'Drafts').dblclick();
  await entry(page, 'draft.txt').waitFor();
  // The way begins where one may see.
  const way = page.getByRole('navigation', { name: 'Where you are' });
  assert.deepEqual(await way.getByRole('listitem').allInnerTexts(), ['Shared with me', 'Joint work', 'Drafts']);

  await page.getByText('View only').waitFor();
  await entry(page, 'draft.txt').click({ button: 'right' });
  await page
    .getByRole('menuitem', { name: /Download/ })
    .first()
    .waitFor();
  const offered = await page.getByRole('menuitem').allInnerTexts();
  assert.ok(!offered.some((one) => /Rename|Move|Cut|Share/.test(one)), offered.join());
  await page.keyboard.press('Escape');
  await dropFiles(page, [{ name: 'mine.txt', bytes: text('mine') }]);
  await toast(page, 'You may look and download here').waitFor();

  const [given] = await sharesOf(owner, box.id);
  await ok('PATCH', `/shares/${given.id}`, { body: { role: 'editor' }, token: owner.token });
  await page.reload();
  await entry(page, 'draft.txt').waitFor();
  await dropFiles(page, [{ name: 'mine.txt', bytes: text('mine') }]);
  await entry(page, 'mine.txt').waitFor();
  const [, mine] = await children(owner, inner.id);
  assert.equal(mine.name, 'mine.txt');

  await place(page, 'Shared with me').click();
  await page.getByRole('button', { name: 'Leave Joint work' }).click();
  await page.getByRole('alertdialog').getByRole('button', { name: 'Leave', exact: true }).click();
  await page.getByText('Nobody has shared anything with you yet').waitFor();
  await until('the right has ended', async () => (await sharesOf(owner, box.id)).length === 0);
});

journey('all that opens my files stands in one list, and is ended there', async ({ page, account }) => {
  const box = await makeFolder(account, 'root', 'Open box');
  const file = await upload(account, 'root', 'open.txt', text('open'));
  const other = await newAccount('guest');
  await shareWith(account, box.id, 'viewer', other);
  await ok('POST', `/files/${box.id}/links`, { body: { label: 'For all' }, token: account.token });
  await ok('PUT', `/files/${file.id}/public`, { token: account.token });
  await signIn(page, account, '/app/shared/by-me');
  await page.getByRole('cell', { name: other.email, exact: true }).waitFor();
  await page.getByRole('button', { name: `Revoke the access of ${other.email} to Open box` }).click();
  await page.getByText('You have shared nothing yet').waitFor();
  await page.keyboard.press('Control+z');
  await page.getByRole('cell', { name: other.email, exact: true }).waitFor();

  await place(page, 'What opens my files').click();
  const table = page.getByRole('table', { name: 'What opens my files' });
  await table.getByText('Link “For all”').waitFor();
  // and what signed in: the page, and whoever made the account here
  const others = table.getByRole('row').filter({ hasNotText: 'Signed in' });
  assert.equal(await others.count(), 4);
  await table.getByRole('button', { name: 'Revoke the access of Everybody to open.txt' }).click();
  await page.getByRole('alertdialog').getByRole('button', { name: 'Close', exact: true }).last().click();
  await table.getByText('Everybody').waitFor({ state: 'detached' });
  await table.getByRole('button', { name: 'Revoke the access of Link “For all” to Open box' }).click();
  await page.getByRole('alertdialog').getByRole('button', { name: 'End link' }).click();
  await table.getByText('For all').waitFor({ state: 'detached' });
  await table.getByRole('button', { name: `Revoke the access of ${other.email} to Open box` }).click();
  await until('only what is signed in is left', async () => (await others.count()) === 1);
  await until(
    'all has ended',
    async () =>
      !(await ok('GET', '/access', { token: account.token })).items.some((one) =>
        ['share', 'link', 'public'].includes(one.kind),
      ),
  );
});

journey('two people work in one shared folder at once', async ({ page, account, newPage }) => {
  const box = await makeFolder(account, 'root', 'Together');
  const other = await newAccount('second');
  await shareWith(account, box.id, 'editor', other);
  const theirs = await newPage();
  await signIn(page, account, `/app/files/${box.id}`);
  await signIn(theirs, other, '/app/shared');
  await theirs.getByRole('link', { name: 'Together' }).click();
  await theirs.getByText('This folder is empty').waitFor();
  await page.getByText('This folder is empty').waitFor();

  const files = (who) => [1, 2, 3].map((n) => ({ name: `${who} ${n}.txt`, bytes: text(`${who} ${n}`) }));
  await Promise.all([dropFiles(page, files('mine')), dropFiles(theirs, files('theirs'))]);
  // Each sees what the other does, without asking.
  for (const one of [page, theirs]) for (const who of ['mine', 'theirs']) await entry(one, `${who} 3.txt`).waitFor();
  await until('all are there', async () => (await children(account, box.id)).length === 6);
  // The same name at the same time: one of the two is asked.
  await Promise.all([
    dropFiles(page, [{ name: 'same.txt', bytes: text('from the owner') }]),
    dropFiles(theirs, [{ name: 'same.txt', bytes: text('from the guest') }]),
  ]);
  const asked = await until('one is asked', async () => {
    for (const one of [page, theirs])
      if (await one.getByRole('dialog', { name: '“same.txt” is there already' }).isVisible()) return one;
    return null;
  });
  await asked.getByRole('button', { name: 'Keep both' }).click();
  await until('both are kept', async () => (await children(account, box.id)).length === 8);

  // What one does the other meets: a file is renamed there and trashed here.
  await entry(theirs, 'mine 1.txt').click();
  await theirs.keyboard.press('F2');
  await theirs.getByRole('textbox', { name: /^New name for/ }).fill('renamed by the guest.txt');
  await theirs.keyboard.press('Enter');
  await toast(theirs, 'Renamed to “renamed by the guest.txt”').waitFor();
  await entry(page, 'renamed by the guest.txt').waitFor();
  await entry(page, 'theirs 1.txt').click();
  await page.keyboard.press('Delete');
  await toast(page, 'Moved “theirs 1.txt”').waitFor();
  await entry(theirs, 'theirs 1.txt').waitFor({ state: 'detached' });
  await entry(theirs, 'theirs 2.txt').waitFor();

  // A name that somebody writes is not taken from them by what the other does, and the folder's own name follows.
  await entry(theirs, 'theirs 3.txt').click();
  await theirs.keyboard.press('F2');
  const writing = theirs.getByRole('textbox', { name: /^New name for/ });
  await writing.fill('half written');
  await dropFiles(page, [{ name: 'a first one.txt', bytes: text('first') }]);
  await ok('PATCH', `/files/${box.id}`, { body: { name: 'Together again' }, token: account.token });
  await theirs.getByRole('navigation', { name: 'Where you are' }).getByText('Together again').waitFor();
  assert.equal(await writing.inputValue(), 'half written');
  await writing.press('Escape');
  await entry(theirs, 'a first one.txt').waitFor();

  // The right ends while the other looks: nothing more goes in, and it is said.
  const [given] = await sharesOf(account, box.id);
  await ok('DELETE', `/shares/${given.id}`, { token: account.token });
  await theirs.reload();
  await theirs.getByText('This folder is not there').waitFor();
});
