// Administration: users, invitations, groups, the audit log, keys.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { address } from '../support/browser.mjs';
import { journey } from '../support/journey.mjs';
import { mailTo } from '../support/mail.mjs';
import { changeUser, makeGroup, makeInvitation, makeUser, signInByApi, userOf } from '../support/people.mjs';
import { ok, until, upload } from '../support/product.mjs';
import { administrator } from '../support/queue.mjs';
import { text } from '../support/samples.mjs';
import { choose, holdChanges, place, signIn, toast } from '../support/steps.mjs';
import { app } from '../support/totp.mjs';

const stranger = { stranger: true };
const button = (page, name) => page.getByRole('button', { name, exact: true }).filter({ visible: true });
const field = (page, name) => page.getByLabel(name, { exact: true });
const row = (page, name) => page.getByRole('row').filter({ has: page.getByRole('rowheader', { name }) });
const dialog = (page) => page.getByRole('dialog');
const answer = (page, name) => page.getByRole('alertdialog').getByRole('button', { name, exact: true }).click();
/** Answers what wants the administrator's own password. */
async function prove(page, admin, name) {
  await dialog(page).getByLabel('Your password', { exact: true }).fill('not my password');
  await dialog(page).getByRole('button', { name, exact: true }).click();
  await dialog(page).getByText('This is not your password').waitFor();
  await dialog(page).getByLabel('Your password', { exact: true }).fill(admin.password);
  await dialog(page).getByRole('button', { name, exact: true }).click();
}

const find = (page, email) => page.getByRole('searchbox', { name: 'Search by address' }).fill(email);

async function enter(page, email, password) {
  await field(page, 'E-mail').fill(email);
  await field(page, 'Password').fill(password);
  await button(page, 'Sign in').click();
}

const filesShown = (page) => page.getByText('This is the place for your files').waitFor();

journey('administration is for administrators', async ({ page, account }) => {
  await signIn(page, account);
  assert.equal(await place(page, 'Admin').count(), 0);
  await page.goto(`${address}/app/admin`);
  await page.getByRole('heading', { name: 'This is for administrators' }).waitFor();
  await button(page, 'Go to your account').click();
  await page.getByRole('heading', { name: 'Your account' }).waitFor();
});

journey(
  'a user is made, found, and signs in',
  async ({ page, newPage }) => {
    const admin = await administrator();
    const email = `made-${process.pid}-${Date.now().toString(36)}@example.org`;
    await signIn(page, admin);
    await place(page, 'Admin').click();
    await page.getByRole('region', { name: 'Users' }).waitFor();
    // The dashboard of jobs stands beside it.
    await page
      .getByRole('navigation', { name: 'Parts of administration' })
      .getByRole('link', { name: 'Job queue', exact: true })
      .waitFor();
    await button(page, 'New user').click();
    await button(page, 'Make user').click();
    await page.getByText('Please enter an e-mail address').waitFor();
    await dialog(page).getByLabel('E-mail').fill(admin.email);
    await field(page, 'First password').fill('first password of theirs');
    await button(page, 'Make user').click();
    await page.getByText('There is an account with this address already').waitFor();
    await dialog(page).getByLabel('E-mail').fill(email);
    await button(page, 'Make user').click();
    await toast(page, `${email} can sign in now`).waitFor();
    await row(page, email).waitFor();

    await find(page, 'no such person at all');
    await page.getByRole('heading', { name: 'No such users' }).waitFor();
    await button(page, 'Show all users').click();
    await find(page, email.toUpperCase());
    await until('one row is left', async () => (await page.getByRole('rowheader').count()) === 1);
    assert.match(page.url(), /q=/);
    await page.reload();
    await until('the search outlives a reload', async () => (await page.getByRole('rowheader').count()) === 1);
    await page.getByRole('combobox', { name: 'Role' }).selectOption('Administrator');
    await page.getByRole('heading', { name: 'No such users' }).waitFor();

    const other = await newPage();
    await other.goto(address);
    await enter(other, email, 'first password of theirs');
    await filesShown(other);
  },
  stranger,
);

journey(
  'a user is disabled, which is undone, and enabled again',
  async ({ page, newPage }) => {
    const admin = await administrator();
    const user = await makeUser(admin, 'wobbly');
    const other = await newPage();
    await signIn(other, user);
    await signIn(page, admin, `/app/admin?q=${user.email}`);
    await button(page, `Actions for ${user.email}`).click();
    await choose(page, 'Disable');
    await answer(page, 'Cancel');
    assert.equal((await userOf(admin, user.id)).disabled, false);
    await button(page, `Actions for ${user.email}`).click();
    await choose(page, 'Disable');
    await answer(page, 'Disable');
    await row(page, user.email).getByText('Disabled').waitFor();
    await other.reload();
    await other.getByRole('heading', { name: 'Sign in', exact: true }).waitFor();
    await toast(page, `${user.email} is disabled`).waitFor();
    await button(page, 'Undo').click();
    await row(page, user.email).getByText('Active').waitFor();
    assert.equal((await userOf(admin, user.id)).disabled, false);

    await page.getByRole('rowheader').getByRole('link', { name: user.email }).click();
    await button(page, 'Disable').click();
    await answer(page, 'Disable');
    await button(page, 'Enable').click();
    await toast(page, `${user.email} is enabled`).waitFor();
    await enter(other, user.email, user.password);
    await filesShown(other);
  },
  stranger,
);

journey(
  'limit, role, sign-out and deletion of one account',
  async ({ page, newPage }) => {
    const admin = await administrator();
    const user = await makeUser(admin, 'managed');
    const token = await signInByApi(user);
    await upload({ token }, 'root', 'large.bin', text('x'.repeat(1_500_000)));
    await signIn(page, admin, `/app/admin/users/${user.id}`);
    await page.getByRole('heading', { name: user.email }).waitFor();
    await page.getByRole('region', { name: 'Storage' }).getByText('1.5 MB used').waitFor();

    await button(page, 'Change limit').click();
    await page.getByLabel('Limit the space').check();
    await field(page, 'At most').fill('much');
    await button(page, 'Set limit').click();
    await page.getByText('Please enter a number').waitFor();
    await field(page, 'At most').fill('1');
    await page.getByRole('combobox', { name: 'Unit' }).selectOption('MB');
    await page.getByText('There are 1.5 MB stored already').waitFor();
    await field(page, 'At most').fill('2.5');
    // What was typed outlives a failure.
    const refuse = (route) => route.fulfill({ status: 500, contentType: 'text/html', body: '' });
    await page.route('**/api/v1/admin/users/*', refuse, { times: 1 });
    await button(page, 'Set limit').click();
    await dialog(page).getByRole('alert').waitFor();
    assert.equal(await field(page, 'At most').inputValue(), '2.5');
    await button(page, 'Set limit').click();
    await page.getByRole('meter', { name: 'Storage' }).and(page.locator('[aria-valuenow="60"]')).waitFor();
    assert.equal((await userOf(admin, user.id)).usage.quotaBytes, 2_500_000);
    await button(page, 'Undo').click();
    await page.getByText('No limit.').waitFor();
    assert.equal((await userOf(admin, user.id)).usage.quotaBytes, null);

    const other = await newPage();
    await signIn(other, user);
    await button(page, 'Sign out').click();
    await answer(page, 'Sign out everywhere');
    await toast(page, `${user.email} is signed out`).waitFor();
    await other.reload();
    await other.getByRole('heading', { name: 'Sign in', exact: true }).waitFor();

    await button(page, 'Make administrator').click();
    await dialog(page).getByLabel('Your password', { exact: true }).fill(admin.password);
    // Who leaves the question while it is done is told nevertheless.
    const promotion = await holdChanges(page, `**/api/v1/admin/users/${user.id}`);
    await dialog(page).getByRole('button', { name: 'Make administrator', exact: true }).click();
    await promotion.begun;
    await page.keyboard.press('Escape');
    await dialog(page).waitFor({ state: 'detached' });
    promotion.answer();
    await toast(page, `${user.email} is an administrator now`).waitFor();
    await enter(other, user.email, user.password);
    await place(other, 'Admin').waitFor();
    await button(page, 'Make ordinary user').click();
    await answer(page, 'Make ordinary user');
    await toast(page, `${user.email} is an ordinary user now`).waitFor();

    await button(page, 'Delete account').click();
    await answer(page, 'Delete account');
    await toast(page, `${user.email} is deleted`).waitFor();
    await page.getByRole('region', { name: 'Users' }).waitFor();
    await assert.rejects(userOf(admin, user.id), /404/);
    await page.goto(`${address}/app/admin/users/${user.id}`);
    await page.getByRole('heading', { name: 'This account is not there' }).waitFor();
  },
  stranger,
);

journey(
  'a lost password and a lost phone are helped, and nobody shuts themselves out',
  async ({ page, newPage }) => {
    const admin = await administrator();
    const user = await makeUser(admin, 'unlucky');
    const token = await signInByApi(user);
    const { secret } = await ok('POST', '/users/me/totp', { body: { password: user.password }, token });
    await ok('POST', '/users/me/totp/confirm', { body: { code: await app(secret)() }, token });
    await signIn(page, admin, `/app/admin/users/${user.id}`);
    await button(page, 'Send mail').click();
    await answer(page, 'Mail for a new password');
    await toast(page, `A mail for ${user.email} is on its way`).waitFor();
    const { code } = await mailTo(user.email, 'A new password for Files Manager');
    const other = await newPage();
    await other.goto(`${address}/app/reset#code=${code}`);
    await field(other, 'Password').fill('chosen by its owner');
    await button(other, 'Set password').click();
    await button(other, 'Go to sign-in').click();
    await enter(other, user.email, 'chosen by its owner');
    await other.getByRole('heading', { name: 'Two-step sign-in' }).waitFor();

    await button(page, 'Reset').click();
    await prove(page, admin, 'Reset second factor');
    await toast(page, 'signs in by password alone').waitFor();
    await button(other, 'Sign in with another account').click();
    await enter(other, user.email, 'chosen by its owner');
    await filesShown(other);

    await page.goto(`${address}/app/admin?q=${admin.email}`);
    await page.getByRole('rowheader').getByRole('link', { name: admin.email, exact: true }).click();
    await page.getByText('This is your own account').waitFor();
    for (const name of ['Disable', 'Delete account', 'Make ordinary user'])
      assert.equal(await button(page, name).count(), 0, name);
  },
  stranger,
);

journey(
  'an invitation is made, its link leads in, and another one is withdrawn',
  async ({ page, newPage }) => {
    const admin = await administrator();
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
    const email = `invited-${process.pid}-${Date.now().toString(36)}@example.org`;
    await signIn(page, admin, '/app/admin/invitations');
    await button(page, 'New invitation').click();
    await field(page, 'Address').fill('nobody');
    await button(page, 'Make invitation').click();
    await page.getByText('Please enter an e-mail address').waitFor();
    await field(page, 'Address').fill(email);
    await page.getByLabel('Works for').selectOption('1 day');
    await button(page, 'Make invitation').click();
    await page.getByText(`It goes to ${email} by mail`).waitFor();
    await button(page, 'Copy').click();
    const link = await page.evaluate(() => navigator.clipboard.readText());
    assert.equal(link, await field(page, 'Link').inputValue());
    await button(page, 'Done').click();
    await row(page, email).waitFor();
    const mail = await mailTo(email, 'You are invited to Files Manager');
    assert.ok(link.endsWith(`/app/register#invitation=${mail.code}`));

    const other = await newPage();
    await other.goto(link);
    await field(other, 'E-mail').fill(email);
    await field(other, 'Password').fill('a password of my own');
    await button(other, 'Create account').click();
    await filesShown(other);
    await page.reload();
    await page.getByText('An invitation lets somebody register once').waitFor();
    await until('a used one is gone', async () => (await row(page, email).count()) === 0);

    const open = await makeInvitation(admin, { email: `second-${email}` });
    await page.reload();
    await button(page, `Withdraw the invitation for second-${email}`).click();
    await answer(page, 'Withdraw');
    await toast(page, 'The invitation is withdrawn').waitFor();
    await until('the row is gone', async () => (await row(page, `second-${email}`).count()) === 0);
    const late = await newPage();
    await late.goto(`${address}/app/register#invitation=${open.code}`);
    await field(late, 'E-mail').fill(`second-${email}`);
    await field(late, 'Password').fill('a password of my own');
    await button(late, 'Create account').click();
    await late.getByText('This invitation was used or withdrawn').waitFor();
  },
  stranger,
);

journey(
  'a group is made, its members and its name are changed, and it is deleted',
  async ({ page }) => {
    const admin = await administrator();
    const stamp = `${process.pid}-${Date.now().toString(36)}`;
    const [first, second] = [await makeUser(admin, 'member'), await makeUser(admin, 'member')];
    await makeGroup(admin, `Taken ${stamp}`);
    const groups = async () => (await ok('GET', '/groups', { token: admin.token })).items;
    await signIn(page, admin, '/app/admin/groups');
    await button(page, 'New group').click();
    await button(page, 'Make group').click();
    await page.getByText('Please enter a name').waitFor();
    await dialog(page).getByLabel('Name').fill(`TAKEN ${stamp}`);
    // Whoever was found for other letters is not added by a quick Enter.
    const found = page.getByRole('list', { name: 'People found' });
    await field(page, 'Add people').fill(second.email);
    await found.getByText(second.email).waitFor();
    await field(page, 'Add people').fill(first.email);
    await field(page, 'Add people').press('Enter');
    await found.getByText(first.email).waitFor();
    // By keys alone: Enter takes the first one and does not make the group yet.
    await field(page, 'Add people').press('Enter');
    await dialog(page).getByText('1 member', { exact: true }).waitFor();
    await field(page, 'Add people').fill(second.email);
    await page.getByRole('button', { name: `${second.email} (add)` }).click();
    await dialog(page).getByText('2 members').waitFor();
    await button(page, 'Make group').click();
    await page.getByText('There is a group with this name already').waitFor();
    await dialog(page).getByLabel('Name').fill(`Choir ${stamp}`);
    await button(page, 'Make group').click();
    await toast(page, `“Choir ${stamp}” is made`).waitFor();
    await row(page, `Choir ${stamp}`).getByText('2 members').waitFor();

    await button(page, `Choir ${stamp}`).click();
    await button(page, `Take ${first.email} out`).click();
    await dialog(page).getByLabel('Name').fill(`Band ${stamp}`);
    await button(page, 'Save').click();
    await row(page, `Band ${stamp}`).getByText('1 member').waitFor();
    const made = (await groups()).find(({ name }) => name === `Band ${stamp}`);
    assert.deepEqual(made.members, [second.id]);

    // A form that is left while it waits closes no other one, and says what it did.
    const change = await holdChanges(page, '**/api/v1/groups/*');
    await button(page, `Band ${stamp}`).click();
    await dialog(page).getByLabel('Name').fill(`Orchestra ${stamp}`);
    await button(page, 'Save').click();
    await change.begun;
    await button(page, 'Cancel').click();
    await dialog(page).waitFor({ state: 'detached' });
    await button(page, `Taken ${stamp}`).click();
    await dialog(page).getByLabel('Name').fill('Half of a na');
    change.answer();
    await toast(page, `“Orchestra ${stamp}” is saved`).waitFor();
    await row(page, `Orchestra ${stamp}`).waitFor();
    assert.equal(await dialog(page).getByLabel('Name').inputValue(), 'Half of a na');
    await button(page, 'Cancel').click();

    await button(page, `Delete Orchestra ${stamp}`).click();
    await answer(page, 'Delete');
    await toast(page, `“Orchestra ${stamp}” is deleted`).waitFor();
    assert.ok(!(await groups()).some(({ name }) => name === `Orchestra ${stamp}`));
  },
  stranger,
);

journey(
  'the audit log is filtered, goes on as one scrolls, and is exported',
  async ({ page }) => {
    const admin = await administrator();
    const user = await makeUser(admin, 'watched');
    // More than a page of lines.
    for (let n = 0; n < 60; n++) {
      await changeUser(admin, user.id, { disabled: true });
      await changeUser(admin, user.id, { disabled: false });
    }
    await signInByApi(user);
    await signIn(page, admin, '/app/admin/audit');
    const lines = page.getByRole('rowheader');
    await lines.first().waitFor();
    await page.getByRole('combobox', { name: 'What was done' }).selectOption('User changed');
    await until('only those are shown', async () => {
      const all = await lines.allTextContents();
      return all.length >= 100 && all.every((one) => one.includes('User changed'));
    });
    const region = page.getByRole('region', { name: 'Audit log' });
    await until('more came', async () => {
      await region.evaluate((one) => one.scrollTo(0, one.scrollHeight));
      return (await lines.count()) >= 120;
    });

    await page.getByRole('combobox', { name: 'What was done' }).selectOption('Anything');
    await field(page, 'Done by (address)').fill('nobody@example.org');
    await button(page, 'Find').click();
    await page.getByText('Nobody has such an address').waitFor();
    await field(page, 'Done by (address)').fill(user.email);
    await field(page, 'Done by (address)').press('Enter');
    await page.getByText(`By ${user.email}`).waitFor();
    await until(
      'only what they did',
      async () => (await lines.allTextContents()).join().includes('Signed in') && (await lines.count()) === 1,
    );
    await page.getByRole('cell', { name: '127.0.0.1' }).waitFor();
    const [download] = await Promise.all([page.waitForEvent('download'), button(page, 'Export').click()]);
    const exported = (await readFile(await download.path(), 'utf8'))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    assert.deepEqual(
      exported.map(({ actor, action }) => [actor, action]),
      [[user.id, 'session.opened']],
    );

    await field(page, 'To').fill('2020-01-01');
    await page.getByRole('heading', { name: 'No such lines' }).waitFor();
    await button(page, 'Clear the filter').first().click();
    await lines.nth(50).waitFor();
    await page.goBack();
    await page.getByRole('heading', { name: 'No such lines' }).waitFor();
  },
  stranger,
);

journey(
  'keys are rotated without anybody noticing, and withdrawn with everybody signing in anew',
  async ({ page }) => {
    const admin = await administrator();
    await signIn(page, admin, '/app/admin/keys');
    await button(page, 'Rotate now').click();
    await answer(page, 'Rotate now');
    await page.getByText(/Done\. The new key is \S+\./).waitFor();
    await page.reload();
    await button(page, 'Withdraw old keys').click();
    await answer(page, 'Cancel');
    await button(page, 'Withdraw old keys').click();
    await answer(page, 'Withdraw old keys');
    await page.getByRole('heading', { name: 'Sign in again' }).waitFor();
    await field(page, 'Password').fill(admin.password);
    await button(page, 'Sign in').click();
    await button(page, 'Rotate now').waitFor();
  },
  stranger,
);

journey(
  'how the installation is can be seen, also while a part of it is away',
  async ({ page }) => {
    const admin = await administrator();
    let away = false;
    await page.route('**/api/v1/jobs/stats*', (route) =>
      away ? route.fulfill({ status: 503, json: {} }) : route.continue(),
    );
    await page.route('**/status', async (route) =>
      away ? route.fulfill({ json: { redis: true, db: false } }) : route.continue(),
    );
    await signIn(page, admin, '/app/admin/system');
    const parts = page.getByRole('region', { name: 'What answers' }).getByRole('listitem');
    await parts.filter({ hasText: 'Stores' }).getByText('Works').waitFor();
    await parts.filter({ hasText: 'Queue of jobs' }).getByText('Works').waitFor();
    await page.getByRole('region', { name: 'Work in the background' }).getByText('Longest wait').waitFor();
    away = true;
    await page.reload();
    await parts.filter({ hasText: 'Stores' }).getByText('Does not answer').waitFor();
    await parts.filter({ hasText: 'Queue of jobs' }).getByText('Does not answer').waitFor();
    await parts.filter({ hasText: 'Memory of credentials' }).getByText('Works').waitFor();
    assert.equal(await page.getByText('Longest wait').count(), 0);
    // What never answers keeps nothing else from being seen.
    away = false;
    await page.route('**/api/v1/jobs/stats*', () => {});
    await page.reload();
    await parts.filter({ hasText: 'Stores' }).getByText('Works').waitFor();
    await parts.filter({ hasText: 'Queue of jobs' }).getByText('Unknown').waitFor();
  },
  stranger,
);
