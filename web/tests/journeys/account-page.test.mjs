// The screen of one's own account: name, address, password, second factor, devices, tokens.
import assert from 'node:assert/strict';
import { address } from '../support/browser.mjs';
import { journey } from '../support/journey.mjs';
import { mailTo } from '../support/mail.mjs';
import { signInByApi } from '../support/people.mjs';
import { children, makeFolder, ok, trashIt, until, upload } from '../support/product.mjs';
import { picture, text } from '../support/samples.mjs';
import { entry, grid, holdChanges, signIn, toast } from '../support/steps.mjs';
import { app, wrongCode } from '../support/totp.mjs';

const button = (page, name) => page.getByRole('button', { name, exact: true }).filter({ visible: true });
const field = (page, name) => page.getByLabel(name, { exact: true });
const me = (account) => ok('GET', '/users/me', { token: account.token });

const openMenu = (page) =>
  page
    .getByRole('button', { name: /^Account/ })
    .filter({ visible: true })
    .click();

async function signOut(page) {
  await openMenu(page);
  await page.getByRole('menuitem', { name: 'Sign out' }).click();
  await page.getByRole('heading', { name: 'Sign in', exact: true }).waitFor();
}

async function enter(page, email, password) {
  await field(page, 'E-mail').fill(email);
  await field(page, 'Password').fill(password);
  await button(page, 'Sign in').click();
}

journey('the menu leads to the account, and name and look are kept with it', async ({ page, account, newPage }) => {
  await signIn(page, account);
  await openMenu(page);
  await page.getByRole('menuitem', { name: 'Account settings' }).click();
  await page.getByRole('heading', { name: 'Your account' }).waitFor();
  assert.equal(new URL(page.url()).pathname, '/app/account');

  assert.ok(await button(page, 'Save').isDisabled(), 'nothing is to be saved yet');
  await field(page, 'Your name').fill('  Ada Lovelace ');
  await field(page, 'Your name').press('Enter');
  await toast(page, 'Your name is saved').waitFor();
  assert.equal((await me(account)).name, 'Ada Lovelace');
  assert.equal(await field(page, 'Your name').inputValue(), 'Ada Lovelace');

  await field(page, 'Appearance').selectOption('Dark');
  await until('the account knows the theme', async () => (await me(account)).preferences.theme === 'dark');
  await field(page, 'Language').selectOption('Deutsch');
  await page.getByRole('heading', { name: 'Dein Konto' }).waitFor();
  await page.waitForFunction(() => document.activeElement?.labels?.[0]?.textContent === 'Sprache');
  await until('the account knows the language', async () => (await me(account)).preferences.language === 'de');

  // Another device takes both over.
  const other = await newPage();
  await other.goto(`${address}/app/account`);
  await enter(other, account.email, account.password);
  await other.getByRole('heading', { name: 'Dein Konto' }).waitFor();
  assert.equal(await other.locator('html').getAttribute('data-theme'), 'dark');
  assert.equal(await other.getByLabel('Dein Name', { exact: true }).inputValue(), 'Ada Lovelace');
});

journey('an address is verified from the account', async ({ page, account }) => {
  await signIn(page, account, '/app/account');
  await page.getByText('Not verified').waitFor();
  await button(page, 'Verify it').click();
  await page.getByText(`We sent a code to ${account.email}`).waitFor();
  const { code } = await mailTo(account.email, 'Verify your address for Files Manager');
  await field(page, 'Code').fill(code);
  await button(page, 'Verify').click();
  await page.getByRole('heading', { name: 'Your address is verified' }).waitFor();
  await button(page, 'Go to your files').click();
  await page.goto(`${address}/app/account`);
  await page.getByText('Verified', { exact: true }).waitFor();
});

journey('the storage is shown as it is, and by what takes it', async ({ page, account }) => {
  await upload(account, 'root', 'large.txt', text('x'.repeat(1_234_000)));
  await upload(account, 'root', 'notes.md', text('# One\n'));
  await upload(account, 'root', 'notes.md', text('# Two\n'), '?onConflict=replace');
  await upload(account, 'root', 'square.png', picture(60, 40, 20));
  const draft = await upload(account, 'root', 'draft.txt', text('draft'));
  await trashIt(account, draft.id);
  await makeFolder(account, 'root', 'Empty');
  await signIn(page, account);
  await page.getByRole('link', { name: /^Storage/ }).click();
  const storage = page.getByRole('main').getByRole('region', { name: 'Your storage' });
  await storage.getByText('1.2 MB used').waitFor();
  await storage.locator('dl div').filter({ hasText: 'Files and folders' }).getByText('5', { exact: true }).waitFor();
  const rows = page.getByRole('region', { name: 'What takes the room' }).getByRole('row');
  await rows.nth(1).waitFor();
  const told = await rows.evaluateAll((all) =>
    all.map((row) => [...row.cells].map((cell) => cell.textContent.trim()).join(' ')),
  );
  assert.match(told[1], /^Documents and texts 2 1\.2 MB \d+%$/);
  assert.match(told[2], /^Pictures 1 /);
  assert.match(told[3], /^Older versions 1 6 bytes /);
  assert.match(told[4], /^Trash 1 5 bytes /);
  assert.equal(told.length, 5);
  await page.getByRole('main').getByRole('link', { name: 'Trash', exact: true }).click();
  await page.waitForFunction(() => location.pathname === '/app/trash');
});

journey('a new password ends the other sign-ins', async ({ page, account, newPage }) => {
  const other = await newPage();
  await signIn(other, account);
  await signIn(page, account, '/app/account/security');
  await button(page, 'Change password').click();
  await page.getByText('Please enter your password.').waitFor();
  await field(page, 'Password so far').fill('not my password');
  await field(page, 'New password').fill('password1');
  await button(page, 'Change password').click();
  // Either may be told first; both are told in words of this page.
  await page
    .getByText(/This is not your password|one of the most common/)
    .first()
    .waitFor();
  await field(page, 'Password so far').fill(account.password);
  await button(page, 'Change password').click();
  await page.getByText('one of the most common').waitFor();
  await field(page, 'New password').fill('quite another one');
  await button(page, 'Change password').click();
  await toast(page, 'Your password is changed').waitFor();
  assert.equal(await field(page, 'Password so far').inputValue(), '');
  await mailTo(account.email, 'Your password was changed');

  await other.reload();
  await other.getByRole('heading', { name: 'Sign in', exact: true }).waitFor();
  await enter(other, account.email, account.password);
  await other.getByText('do not belong together').waitFor();
  await field(other, 'Password').fill('quite another one');
  await button(other, 'Sign in').click();
  await other.getByText('This is the place for your files').waitFor();
});

journey('another address takes the codes of both mails', async ({ page, account }) => {
  const fresh = `fresh-${account.email}`;
  await signIn(page, account, '/app/account');
  await button(page, 'Change address').click();
  await button(page, 'Send codes').click();
  await page.getByText('Please enter an e-mail address').waitFor();
  await field(page, 'New address').fill(fresh);
  await field(page, 'Your password').fill('wrong');
  await button(page, 'Send codes').click();
  await page.getByText('This is not your password').waitFor();
  await field(page, 'Your password').fill(account.password);
  await button(page, 'Send codes').click();
  await field(page, 'Code from the new address').waitFor();
  const [toNew, toOld] = [
    await mailTo(fresh, 'Your new address for Files Manager'),
    await mailTo(account.email, 'Your account gets another address'),
  ];
  assert.match(toOld.text, new RegExp(fresh.replaceAll('.', '\\.')));
  await field(page, 'Code from the new address').fill(toNew.code);
  await field(page, 'Code from the old address').fill('AAAAA-AAAAA');
  await button(page, 'Change address').last().click();
  await page.getByText('This code is wrong').waitFor();

  // The links of the mails bring the codes.
  await page.goto(`${address}/app/account#newCode=${toNew.code}&oldCode=${toOld.code}`);
  await field(page, 'Code from the old address').waitFor();
  assert.equal(await field(page, 'Code from the new address').inputValue(), toNew.code);
  assert.ok(!page.url().includes('#'), 'no code stays in the address');
  await page.getByRole('dialog').getByRole('button', { name: 'Change address' }).click();
  await toast(page, `Your address is ${fresh} now`).waitFor();
  assert.equal((await me(account)).email, fresh);
  await signOut(page);
  await enter(page, fresh, account.password);
  await page.getByRole('navigation', { name: 'Places' }).first().waitFor();
});

journey('the second factor is turned on, asked for, and turned off again', async ({ page, account }) => {
  await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
  await signIn(page, account, '/app/account/security');
  await button(page, 'Turn on').click();
  await field(page, 'Your password').fill('wrong');
  await button(page, 'Go on').click();
  await page.getByText('This is not your password').waitFor();
  await field(page, 'Your password').fill(account.password);
  await button(page, 'Go on').click();
  const picture = page.getByRole('img', { name: /QR code/ });
  await picture.waitFor();
  await page.waitForFunction(() => document.querySelector('dialog img')?.naturalWidth > 100);
  const code = app(await page.getByRole('dialog').locator('code').first().textContent());

  const first = await code();
  await field(page, 'Code of the app').fill(wrongCode(first));
  await page.getByRole('dialog').getByRole('button', { name: 'Turn on', exact: true }).click();
  await page.getByText('This code is wrong').waitFor();
  assert.ok(await page.getByRole('dialog').isVisible(), 'a wrong code ends no session');
  await field(page, 'Code of the app').fill(first);
  await page.getByRole('dialog').getByRole('button', { name: 'Turn on', exact: true }).click();

  const list = page.getByRole('list', { name: 'Your recovery codes' });
  await list.waitFor();
  const codes = await list.getByRole('listitem').allTextContents();
  assert.equal(codes.length, 10);
  assert.ok(await button(page, 'Done').isDisabled(), 'they are to be kept first');
  // Neither a key nor a press that misses loses them, and what could not be copied is not kept.
  await page.keyboard.press('Escape');
  await page.keyboard.press('Escape');
  await page.getByText('This is not shown again').waitFor();
  await page.mouse.click(3, 3);
  await page.evaluate(() => {
    const write = navigator.clipboard.writeText;
    navigator.clipboard.writeText = () => Promise.reject(new Error('not here'));
    window.allowCopies = () => (navigator.clipboard.writeText = write);
  });
  await button(page, 'Copy the codes').click();
  await toast(page, 'does not allow copying').waitFor();
  assert.ok(!(await page.getByLabel('I have kept these codes').isChecked()));
  assert.equal(await list.getByRole('listitem').count(), 10);
  await page.evaluate(() => window.allowCopies());
  await button(page, 'Copy the codes').click();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), codes.map((one) => one.trim()).join('\n'));
  const [download] = await Promise.all([page.waitForEvent('download'), button(page, 'Download').click()]);
  assert.match(download.suggestedFilename(), /recovery-codes\.txt$/);
  await button(page, 'Done').click();
  await button(page, 'Turn off').waitFor();
  await mailTo(account.email, 'Two-step sign-in is on');

  await signOut(page);
  await enter(page, account.email, account.password);
  await page.getByRole('heading', { name: 'Two-step sign-in' }).waitFor();
  await button(page, 'Sign in').click();
  await page.getByText('Please enter the code').waitFor();
  await field(page, 'Code of the app').fill(wrongCode(await code()));
  await button(page, 'Sign in').click();
  await page.getByText('This code is wrong').waitFor();
  await field(page, 'Code of the app').fill(await code());
  await button(page, 'Sign in').click();
  await button(page, 'Turn off').waitFor();

  await signOut(page);
  await enter(page, account.email, account.password);
  await button(page, 'Use a recovery code').click();
  await field(page, 'Recovery code').fill(codes[0].trim());
  await button(page, 'Sign in').click();
  await button(page, 'Turn off').click();
  await mailTo(account.email, 'A recovery code was used');

  await field(page, 'Your password').fill(account.password);
  await button(page, 'Use a recovery code').click();
  await field(page, 'Recovery code').fill(codes[0].trim());
  await page.getByRole('dialog').getByRole('button', { name: 'Turn off', exact: true }).click();
  await page.getByText('This code is wrong').waitFor();
  await field(page, 'Recovery code').fill(codes[1].trim());
  await page.getByRole('dialog').getByRole('button', { name: 'Turn off', exact: true }).click();
  await toast(page, 'Two-step sign-in is off').waitFor();
  await signOut(page);
  await enter(page, account.email, account.password);
  await button(page, 'Turn on').waitFor();
});

journey('devices are listed, and ended one by one or all at once', async ({ page, account, newPage }) => {
  const other = await newPage();
  await signIn(other, account);
  await signInByApi(account);
  await signIn(page, account, '/app/account/sessions');
  const rows = page.getByRole('region', { name: 'Where you are signed in' }).getByRole('listitem');
  await rows.filter({ hasText: 'This device' }).filter({ hasText: 'Chrome on Linux' }).waitFor();
  // Registering by the API signed in as well.
  assert.equal(await rows.count(), 4);
  assert.equal(await rows.filter({ hasText: 'Program' }).count(), 2);

  await button(page, 'End Chrome on Linux').click();
  await page.getByRole('alertdialog').getByRole('button', { name: 'Cancel', exact: true }).click();
  assert.equal(await rows.count(), 4);
  await button(page, 'End Chrome on Linux').click();
  await page.getByRole('alertdialog').getByRole('button', { name: 'End', exact: true }).click();
  await toast(page, 'The sign-in has ended').waitFor();
  await until('the row is gone', async () => (await rows.count()) === 3);
  await other.reload();
  await other.getByRole('heading', { name: 'Sign in', exact: true }).waitFor();

  await button(page, 'End all others').click();
  await page.getByRole('alertdialog').getByRole('button', { name: 'End them' }).click();
  await page.getByText('You are signed in nowhere else').waitFor();
  assert.equal(await rows.count(), 1);
  await assert.rejects(me(account), /401/);
});

journey('a token is made for a folder, shown once, and revoked', async ({ page, account }) => {
  const folder = await makeFolder(account, 'root', 'Photos');
  await makeFolder(account, 'root', 'Diary');
  await upload(account, folder.id, 'cat.txt', text('miaow\n'));
  await signIn(page, account, '/app/account/tokens');
  await page.getByRole('heading', { name: 'No API tokens' }).waitFor();
  await button(page, 'New token').click();
  await button(page, 'Make token').click();
  await page.getByText('Please enter a name').waitFor();
  await page.waitForFunction(() => document.activeElement?.labels?.[0]?.textContent === 'Name');
  assert.equal(await page.getByLabel('Look at jobs').count(), 1);
  assert.equal(await page.getByLabel('Administer').count(), 0, 'what only administrators may give is not offered');
  await page.getByRole('dialog').getByLabel('Name').fill('Photo frame');
  await page.getByLabel('Only for one folder').check();
  await button(page, 'Make token').click();
  await page.getByText('Please go into the folder').waitFor();
  await page.getByRole('group', { name: 'Folder' }).getByRole('button', { name: 'Photos', exact: true }).click();
  await page.getByRole('group', { name: 'Folder' }).getByText('Photos').waitFor();
  assert.equal(await page.getByLabel('Look at jobs').count(), 0, 'a folder has no jobs');
  await page.getByLabel('Works for').selectOption('30 days');
  await button(page, 'Make token').click();
  await page.getByText('Please enter your password').waitFor();
  await field(page, 'Your password').fill('not mine');
  await button(page, 'Make token').click();
  await page.getByText('This is not your password').waitFor();
  await field(page, 'Your password').fill(account.password);
  const making = await holdChanges(page, '**/api/v1/users/me/tokens');
  await button(page, 'Make token').click();
  await making.begun;
  // What is on its way and shown once is lost by no key.
  await page.keyboard.press('Escape');
  assert.ok(await button(page, 'Cancel').isDisabled());
  making.answer();
  const shown = page.getByRole('dialog').getByLabel('Photo frame');
  await shown.waitFor();
  await page.waitForFunction(() => document.activeElement?.labels?.[0]?.textContent === 'Photo frame');
  const token = await shown.inputValue();
  assert.match(token, /^fmt_/);
  await button(page, 'Done').click();

  assert.deepEqual(
    (await children({ token }, folder.id)).map(({ name }) => name),
    ['cat.txt'],
  );
  await assert.rejects(children({ token }, 'root'), /404/);
  await page.reload();
  const row = page.getByRole('listitem').filter({ hasText: 'Photo frame' });
  await row.getByText('Photos', { exact: true }).waitFor();
  // When it was used is written now and then, not each time.
  await row.getByText(/never used|last used/).waitFor();
  assert.equal(await page.getByText(token).count(), 0);

  await button(page, 'Revoke Photo frame').click();
  await page.getByRole('alertdialog').getByRole('button', { name: 'Revoke', exact: true }).click();
  await page.getByRole('heading', { name: 'No API tokens' }).waitFor();
  await assert.rejects(children({ token }, folder.id), /401/);
});

journey('whoever signs in next sees nothing of the one before', async ({ page, account, newPage }) => {
  const { newAccount } = await import('../support/product.mjs');
  const next = await newAccount('next');
  await upload(account, 'root', 'secret of the first.txt', text('1'));
  await upload(next, 'root', 'belongs to the second.txt', text('2'));
  await signIn(page, account);
  await entry(page, 'secret of the first.txt').click();
  await page.keyboard.press('Control+x');
  await page.locator('.entry.cut').waitFor();

  // What is drawn at any time from here on is watched, not only what stays.
  await page.evaluate(() => {
    window.stale = 0;
    new MutationObserver(() => {
      const out = document.querySelector('input[name=password]');
      if (out) window.out = true;
      if (window.out && document.body.textContent.includes('secret of the first')) window.stale += 1;
    }).observe(document.body, { subtree: true, childList: true, characterData: true });
  });
  await signOut(page);
  await enter(page, next.email, next.password);
  await entry(page, 'belongs to the second.txt').waitFor();
  assert.equal(await page.evaluate(() => window.stale), 0);
  assert.equal(await entry(page, 'secret of the first.txt').count(), 0);

  // Nor is it theirs to paste what was cut.
  let asked = 0;
  page.on('request', (request) => {
    if (request.url().endsWith('/files/batch')) asked += 1;
  });
  await entry(page, 'belongs to the second.txt').click();
  await page.keyboard.press('Control+v');
  await page.keyboard.press('*');
  await until('theirs is starred', async () => (await children(next, 'root'))[0].starred);
  assert.equal(asked, 1);

  // A second tab of the same browser follows, out and in again.
  const tab = await page.context().newPage();
  await tab.goto(address);
  await entry(tab, 'belongs to the second.txt').waitFor();
  await signOut(page);
  await tab.getByRole('heading', { name: 'Sign in', exact: true }).waitFor();
  await enter(page, account.email, account.password);
  await entry(page, 'secret of the first.txt').waitFor();
  await entry(tab, 'secret of the first.txt').waitFor();
  await tab.close();
  const stranger = await newPage();
  await stranger.goto(`${address}/app/account`);
  await stranger.getByRole('heading', { name: 'Sign in', exact: true }).waitFor();
});

journey('an account is closed with a plain question, and kept by signing in again', async ({ page, account }) => {
  await upload(account, 'root', 'kept.txt', text('mine'));
  await signIn(page, account, '/app/account');
  await button(page, 'Delete account…').click();
  const dialog = page.getByRole('dialog', { name: 'Delete your account?' });
  await dialog.getByLabel('Your password', { exact: true }).fill('not this one');
  await dialog.getByRole('button', { name: 'Delete account' }).click();
  await dialog
    .getByText(/password/i)
    .first()
    .waitFor();
  await dialog.getByLabel('Your password', { exact: true }).fill(account.password);
  await dialog.getByRole('button', { name: 'Delete account' }).click();
  await page.getByRole('heading', { name: 'Sign in', exact: true }).waitFor();
  await toast(page, /will be deleted/).waitFor();

  await enter(page, account.email, account.password);
  await page.getByText(/waits to be deleted/).waitFor();
  await button(page, 'Keep the account and sign in').click();
  await page.getByRole('heading', { name: 'Your account' }).or(grid(page)).first().waitFor();
  const again = { ...account, token: await signInByApi(account) };
  assert.equal((await children(again, 'root'))[0].name, 'kept.txt');
});
