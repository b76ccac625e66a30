// The ways in, the account and administration against axe-core's rules, in both themes and on a phone; and by keys alone.
import assert from 'node:assert/strict';
import { showDeliveries } from '../screens/acts.mjs';
import { check } from '../support/axe.mjs';
import { address } from '../support/browser.mjs';
import { journey } from '../support/journey.mjs';
import { furnishPeople, furnishTokens, furnishWebhooks } from '../support/people.mjs';
import { makeFolder, trashIt, upload } from '../support/product.mjs';
import { administrator } from '../support/queue.mjs';
import { picture, text } from '../support/samples.mjs';
import { signIn } from '../support/steps.mjs';
import { app } from '../support/totp.mjs';

let people = null;
const button = (page, name) => page.getByRole('button', { name, exact: true }).filter({ visible: true }).first();
const field = (page, name) => page.getByLabel(name, { exact: true });
const closeDialog = async (page) => {
  await page.keyboard.press('Escape');
  await page.locator('dialog').waitFor({ state: 'detached' });
};

// Colours depend on the theme alone and places on the window alone: two of the four see all of them.
for (const options of [
  { scheme: 'light', phone: false },
  { scheme: 'dark', phone: true },
]) {
  const on = `${options.scheme}${options.phone ? ', phone' : ''}`;

  journey(
    `axe finds nothing on the ways in and in the account, ${on}`,
    async ({ page, account }) => {
      const to = (path) => page.goto(`${address}/app/${path}`);
      await to('register#invitation=fmi_0');
      await page.getByText('You are invited').waitFor();
      await check(page, 'register by invitation');
      await to('verify');
      await button(page, 'Verify').click();
      await page.getByText('Please enter the code').waitFor();
      await check(page, 'verify, with a mistake');
      await to('forgot');
      await button(page, 'Send a code').click();
      await check(page, 'forgot, with a mistake');
      await to('reset');
      await button(page, 'Set password').click();
      await check(page, 'reset, with mistakes');

      await signIn(page, account, '/app/account');
      await page.getByText('Language and appearance').waitFor();
      await check(page, 'profile');
      await button(page, 'Change address').click();
      await button(page, 'Send codes').click();
      await check(page, 'another address, with mistakes');
      await button(page, 'I have codes').click();
      await field(page, 'Code from the old address').waitFor();
      await check(page, 'codes for another address');
      await closeDialog(page);

      await to('account/tokens');
      await page.getByRole('heading', { name: 'No API tokens' }).waitFor();
      await check(page, 'no tokens');
      const folder = await makeFolder(account, 'root', 'Photos');
      await upload(account, folder.id, 'square.png', picture(60, 40, 20));
      await trashIt(account, (await upload(account, 'root', 'old.txt', text('old'))).id);
      await furnishTokens(account, folder.id);
      await page.reload();
      await page.getByText('Photo frame').waitFor();
      await check(page, 'tokens');
      await button(page, 'New token').click();
      await page.getByLabel('Only for one folder').check();
      await page.getByRole('group', { name: 'Folder' }).getByRole('button', { name: 'Photos', exact: true }).waitFor();
      await button(page, 'Make token').click();
      await check(page, 'a new token, with mistakes');
      await page.getByLabel('Only for one folder').uncheck();
      await page.getByRole('dialog').getByLabel('Name').fill('Sync');
      await field(page, 'Your password').fill(account.password);
      await button(page, 'Make token').click();
      await page.getByText('It is not shown again').waitFor();
      await check(page, 'a token that was made');
      await button(page, 'Done').click();
      await to('account/sessions');
      await page.getByText('This device').waitFor();
      await check(page, 'sessions');

      await to('account/storage');
      await page.getByRole('rowheader', { name: 'Trash' }).waitFor();
      await check(page, 'storage');
      await to('account/webhooks');
      await page.getByRole('heading', { name: 'No webhooks' }).waitFor();
      await check(page, 'no webhooks');
      await button(page, 'New webhook').click();
      await button(page, 'Make webhook').click();
      await check(page, 'a new webhook, with mistakes');
      await closeDialog(page);
      const webhook = await furnishWebhooks(account);
      await page.reload();
      await page.getByRole('link', { name: 'Inventory' }).waitFor();
      await check(page, 'webhooks');
      await to(`account/webhooks/${webhook}`);
      await showDeliveries(page);
      await page.getByRole('button', { name: /^Added/ }).click();
      await page.getByText('next attempt').waitFor();
      await check(page, 'a webhook');

      await to('account/security');
      await button(page, 'Change password').click();
      await check(page, 'security, with mistakes');
      await button(page, 'Turn on').click();
      await field(page, 'Your password').fill(account.password);
      await button(page, 'Go on').click();
      await page.getByRole('img', { name: /QR code/ }).waitFor();
      await check(page, 'setting up an app');
      const code = app(await page.getByRole('dialog').locator('code').first().textContent());
      await field(page, 'Code of the app').fill(await code());
      await page.getByRole('dialog').getByRole('button', { name: 'Turn on', exact: true }).click();
      await page.getByText('I have kept these codes').waitFor();
      await check(page, 'recovery codes');
      await page.getByText('I have kept these codes').click();
      await button(page, 'Done').click();
      await button(page, 'Turn off').click();
      await page.getByRole('dialog').getByRole('button', { name: 'Turn off', exact: true }).click();
      await check(page, 'turning off, with mistakes');
      await closeDialog(page);

      await page.context().clearCookies();
      await page.goto(address);
      await field(page, 'E-mail').fill(account.email);
      await field(page, 'Password').fill(account.password);
      await button(page, 'Sign in').click();
      await field(page, 'Code of the app').waitFor();
      await check(page, 'second step');
    },
    options,
  );

  journey(
    `axe finds nothing in administration, ${on}`,
    async ({ page }) => {
      const admin = await administrator();
      people ??= await furnishPeople(admin);
      const to = (path) => page.goto(`${address}/app/admin${path}`);
      await signIn(page, admin, '/app/admin');
      await page
        .getByRole('rowheader', { name: /ada.lovelace/ })
        .first()
        .waitFor();
      await check(page, 'users');
      await page
        .getByRole('button', { name: /^Actions for ada/ })
        .first()
        .click();
      await page.getByRole('menu').waitFor();
      await check(page, 'menu of a user');
      await page.keyboard.press('Escape');
      await button(page, 'New user').click();
      await button(page, 'Make user').click();
      await check(page, 'a new user, with mistakes');
      await closeDialog(page);
      await to('?q=nobody+at+all');
      await page.getByRole('heading', { name: 'No such users' }).waitFor();
      await check(page, 'nobody found');
      await to(`/users/${people.ada.id}`);
      await page.getByRole('main').getByRole('meter', { name: 'Storage' }).waitFor();
      await check(page, 'a user');
      await button(page, 'Change limit').click();
      await field(page, 'At most').fill('x');
      await button(page, 'Set limit').click();
      await check(page, 'limit, with a mistake');
      await page.keyboard.press('Escape');
      await page.getByRole('group', { name: 'Discard what you typed?' }).waitFor();
      await check(page, 'question about what was typed');
      await button(page, 'Discard').click();
      await page.locator('dialog').waitFor({ state: 'detached' });
      await button(page, 'Delete account').click();
      await page.getByRole('alertdialog').waitFor();
      await check(page, 'question');
      await closeDialog(page);
      await to('/users/0123456789abcdef01234567');
      await page.getByRole('heading', { name: 'This account is not there' }).waitFor();
      await check(page, 'no such user');
      await to('/invitations');
      await page
        .getByRole('rowheader', { name: /katherine/ })
        .first()
        .waitFor();
      await check(page, 'invitations');
      await button(page, 'New invitation').click();
      await check(page, 'a new invitation');
      await button(page, 'Make invitation').click();
      await field(page, 'Link').waitFor();
      await check(page, 'an invitation that was made');
      await button(page, 'Done').click();
      await to('/groups');
      await page
        .getByText(/grace.hopper/)
        .first()
        .waitFor();
      await check(page, 'groups');
      await page
        .getByRole('button', { name: /^Greenhouse/ })
        .first()
        .click();
      await field(page, 'Add people').fill('alan');
      await page.getByRole('list', { name: 'People found' }).getByRole('button').first().waitFor();
      await check(page, 'a group');
      await button(page, 'Cancel').click();
      await page.locator('dialog').waitFor({ state: 'detached' });
      await to('/audit');
      await page.getByText('Invitation made').nth(2).waitFor();
      await field(page, 'Done by (address)').fill('nobody@example.org');
      await button(page, 'Find').click();
      await page.getByText('Nobody has such an address').waitFor();
      await check(page, 'audit log');
      await to(`/audit?actor=${people.ada.id}&from=2020-01-01&to=2020-01-02`);
      await page.getByRole('heading', { name: 'No such lines' }).waitFor();
      await check(page, 'no such lines');
      await to('/keys');
      await button(page, 'Rotate now').waitFor();
      await check(page, 'keys');
      await to('/system');
      await page.getByText('Longest wait').waitFor();
      await check(page, 'system');
    },
    { ...options, stranger: true },
  );
}

/** What has the focus, as a screen reader would name it. */
const focused = (page) =>
  page.evaluate(() => {
    const one = document.activeElement;
    const label = one?.labels?.[0]?.textContent ?? one?.getAttribute('aria-label') ?? one?.textContent ?? '';
    return label.trim();
  });

/** Goes on by Tab until this has the focus. */
async function tabTo(page, name, key = 'Tab') {
  for (let step = 0; step < 60; step++) {
    if ((await focused(page)) === name) return;
    await page.keyboard.press(key);
  }
  assert.fail(`“${name}” is not reached by ${key}; the focus is on “${await focused(page)}”`);
}

journey('the account is used by keys alone, and dialogs give the focus back', async ({ page, account }) => {
  await signIn(page, account, '/app/account');
  await page.getByText('Language and appearance').waitFor();
  await tabTo(page, 'Your name');
  await page.keyboard.type('Grace');
  await page.keyboard.press('Enter');
  await page.getByText('Your name is saved').waitFor();
  await tabTo(page, 'Change address');
  await page.keyboard.press('Enter');
  await page.getByRole('dialog').waitFor();
  assert.equal(await focused(page), 'New address', 'the first field has the focus');
  for (let step = 0; step < 20; step++) {
    await page.keyboard.press('Tab');
    const inside = await page.evaluate(
      () => document.activeElement === document.body || Boolean(document.activeElement?.closest('dialog')),
    );
    assert.ok(inside, 'the focus stays in the dialog');
  }
  await closeDialog(page);
  assert.equal(await focused(page), 'Change address');

  await tabTo(page, 'API tokens', 'Shift+Tab');
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'No API tokens' }).waitFor();
  await tabTo(page, 'New token');
  await page.keyboard.press('Enter');
  await page.getByRole('dialog').waitFor();
  await page.keyboard.type('By keys');
  await page.keyboard.press('Escape');
  await page.getByRole('group', { name: 'Discard what you typed?' }).waitFor();
  assert.equal(await focused(page), 'Keep editing', 'Enter alone loses nothing');
  await page.keyboard.press('Enter');
  assert.equal(await focused(page), 'Name', 'one goes on where one was');
  assert.equal(await page.getByRole('dialog').getByLabel('Name').inputValue(), 'By keys');
  await tabTo(page, 'Change files files:write');
  await page.keyboard.press('Space');
  await tabTo(page, 'Your password');
  await page.keyboard.type(account.password);
  await tabTo(page, 'Make token');
  await page.keyboard.press('Enter');
  await page.getByText('It is not shown again').waitFor();
  await tabTo(page, 'Done');
  await page.keyboard.press('Enter');
  await page.getByText('By keys').waitFor();
  await tabTo(page, 'Revoke By keys');
  await page.keyboard.press('Enter');
  await page.getByRole('alertdialog').waitFor();
  // Enter alone loses nothing.
  assert.equal(await focused(page), 'Cancel');
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'No API tokens' }).waitFor();
});

journey(
  'nothing leaves a phone’s window, nor one that is read from right to left',
  async ({ page }) => {
    const admin = await administrator();
    people ??= await furnishPeople(admin);
    await page.addInitScript(() => {
      document.addEventListener('DOMContentLoaded', () => {
        if (sessionStorage.getItem('rtl')) document.documentElement.dir = 'rtl';
      });
    });
    await signIn(page, admin);
    const account = ['account', 'account/storage', 'account/security', 'account/sessions', 'account/tokens'];
    const webhook = await furnishWebhooks(admin);
    const paths = [...account, 'account/webhooks', `account/webhooks/${webhook}`, 'admin', 'admin/invitations'];
    const more = [`admin/users/${people.ada.id}`, 'admin/groups', 'admin/audit', 'admin/keys', 'admin/system'];
    for (const direction of ['ltr', 'rtl']) {
      if (direction === 'rtl') await page.evaluate(() => sessionStorage.setItem('rtl', 'yes'));
      for (const path of [...paths, ...more]) {
        await page.goto(`${address}/app/${path}`);
        await page.getByRole('heading', { level: 1 }).waitFor();
        await page.waitForFunction(() => !document.querySelector('.skeleton'));
        const over = await page.evaluate(() => {
          const width = document.documentElement.clientWidth;
          return [...document.querySelectorAll('main :is(button, a, input, select, h1, h2, h3, p, td, th)')]
            .filter((one) => one.checkVisibility() && !one.closest('nav, thead, .hidden'))
            .map((one) => [one.outerHTML.slice(0, 120), one.getBoundingClientRect()])
            .filter(([, box]) => box.width > 1 && (box.left < -1 || box.right > width + 1))
            .map(([html]) => html);
        });
        assert.deepEqual(over, [], `${path} leaves the window, ${direction}`);
      }
    }
  },
  { stranger: true, phone: true },
);
