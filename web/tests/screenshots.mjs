// Writes a picture of every screen, light, dark and on a phone: node screenshots.mjs FOLDER [NAME…]
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { address, endPage, launch, openPage, setupCode } from './support/browser.mjs';
import { furnishPeople, furnishTokens } from './support/people.mjs';
import { ensureSetUp, newAccount, setupState } from './support/product.mjs';
import { administrator, furnishQueue } from './support/queue.mjs';
import { picture, text } from './support/samples.mjs';
import { furnish } from './support/scene.mjs';
import { furnishNews, furnishSharing } from './support/sharing.mjs';
import { choose, dropFiles, entry, grid, signIn } from './support/steps.mjs';

const [folder, ...wanted] = process.argv.slice(2);
if (!folder) throw new Error('say into which folder: npm run screenshots -- FOLDER');
mkdirSync(folder, { recursive: true });

const shown = (page) => grid(page).waitFor();
const press = (page, name) => page.getByRole('button', { name, exact: true }).filter({ visible: true }).first().click();
/** Ends what an earlier picture has begun. */
const endUploads = (page) =>
  page.evaluate(async () => {
    const { items } = await (await fetch('/api/v1/uploads')).json();
    for (const { id } of items) await fetch(`/api/v1/uploads/${id}`, { method: 'DELETE' });
  });
/** Has the page believe that the account's export stands so. */
const showExport = async (page, state) => {
  const times = { requestedAt: new Date(), endedAt: new Date(), expiresAt: new Date(Date.now() + 7 * 86_400_000) };
  const body = JSON.stringify({ ...times, sizeBytes: null, url: null, ...state });
  await page.route('**/api/v1/users/me/export', (route) => route.fulfill({ contentType: 'application/json', body }));
  await page.reload();
};
const folderOf = (scene) => `/app/files/${scene.photosFolder}`;

const view = async (page, phone, name, ready) => {
  await shown(page);
  // Not every entry is drawn before it is scrolled to.
  for (let step = 0; step < 20 && !(await entry(page, name).isVisible()); step++)
    await grid(page).evaluate((one) => one.scrollBy(0, one.clientHeight / 2));
  if (phone) await entry(page, name).tap();
  else await entry(page, name).dblclick();
  await ready(page.getByRole('dialog'));
};

/** Every screen: where it is, and what is done there before the picture is taken. */
const screens = [
  { name: 'sign-in', out: true, act: (page) => page.getByRole('button', { name: 'Sign in', exact: true }).waitFor() },
  {
    name: 'register',
    out: true,
    path: () => '/app/register',
    act: (page) => page.getByRole('button', { name: 'Create account' }).waitFor(),
  },
  {
    name: 'register-invited',
    out: true,
    path: () => '/app/register#invitation=fmi_0123456789',
    act: (page) => page.getByText('You are invited').waitFor(),
  },
  {
    name: 'register-closed',
    out: true,
    act: async (page) => {
      await page.route('**/api/v1/setup', (route) =>
        route.fulfill({ contentType: 'application/json', body: '{"needed":false,"registration":"closed"}' }),
      );
      await page.goto(`${address}/app/register`);
      await page.getByText('No open registration').waitFor();
    },
  },
  { name: 'verify', out: true, path: () => '/app/verify', act: (page) => page.getByLabel('Code').waitFor() },
  {
    name: 'forgot',
    out: true,
    path: () => '/app/forgot',
    act: (page) => page.getByRole('button', { name: 'Send a code' }).waitFor(),
  },
  {
    name: 'reset',
    out: true,
    path: () => '/app/reset#code=ABCDE-12345',
    act: async (page) => {
      await page.getByLabel('Password', { exact: true }).fill('short');
      await press(page, 'Set password');
      await page.getByText('Please use 8 characters').waitFor();
    },
  },
  {
    name: 'second-step',
    out: true,
    act: async (page) => {
      await page.route('**/api/v1/auth/login', (route) =>
        route.fulfill({
          status: 401,
          contentType: 'application/problem+json',
          body: '{"code":"second_factor_required","detail":"A code of the second factor is wanted","status":401}',
        }),
      );
      await page.getByLabel('E-mail').fill(account.email);
      await page.getByLabel('Password', { exact: true }).fill(account.password);
      await press(page, 'Sign in');
      await page.getByLabel('Code of the app').waitFor();
    },
  },
  {
    name: 'account-profile',
    path: () => '/app/account',
    act: (page) => page.getByText('Files and folders').waitFor(),
  },
  {
    name: 'account-export',
    path: () => '/app/account',
    act: async (page) => {
      await showExport(page, {
        state: 'ready',
        sizeBytes: 48_300_000,
        url: '/api/v1/exports/5f1e8896c7ba06511e683b25',
      });
      await page.getByRole('button', { name: 'Download as zip' }).scrollIntoViewIfNeeded();
    },
  },
  {
    name: 'account-export-under-way',
    path: () => '/app/account',
    act: async (page) => {
      await page.route('**/api/v1/users/me/jobs?type=account-export*', (route) =>
        route.fulfill({
          contentType: 'application/json',
          body: JSON.stringify({ items: [{ state: 'active', progress: 40 }], nextCursor: null, total: 1 }),
        }),
      );
      await showExport(page, { state: 'running', expiresAt: null });
      await page.getByText('You may leave this page').scrollIntoViewIfNeeded();
    },
  },
  {
    name: 'account-export-ask',
    path: () => '/app/account',
    act: async (page) => {
      await press(page, 'Prepare archive…');
      await page.getByRole('dialog').getByLabel('Your password', { exact: true }).waitFor();
    },
  },
  {
    name: 'account-email',
    path: () => '/app/account#newCode=ABCDE-12345',
    act: (page) => page.getByLabel('Code from the old address').waitFor(),
  },
  {
    name: 'account-security',
    path: () => '/app/account/security',
    act: (page) => page.getByRole('button', { name: 'Turn on' }).waitFor(),
  },
  {
    name: 'account-totp',
    path: () => '/app/account/security',
    act: async (page) => {
      await press(page, 'Turn on');
      await page.getByRole('dialog').getByLabel('Your password', { exact: true }).fill(account.password);
      await press(page, 'Go on');
      await page.getByRole('img', { name: /QR code/ }).waitFor();
    },
  },
  {
    name: 'account-recovery',
    path: () => '/app/account/security',
    act: async (page) => {
      await page.route('**/api/v1/users/me/totp/confirm', (route) =>
        route.fulfill({
          contentType: 'application/json',
          body: JSON.stringify({
            recoveryCodes: Array.from({ length: 10 }, (_, n) => `K1B${n}-1QNF-T1PW-AHM${n}`),
          }),
        }),
      );
      await press(page, 'Turn on');
      await page.getByRole('dialog').getByLabel('Your password', { exact: true }).fill(account.password);
      await press(page, 'Go on');
      await page.getByLabel('Code of the app').fill('123456');
      await page.getByRole('dialog').getByRole('button', { name: 'Turn on' }).click();
      await page.getByText('I have kept these codes').waitFor();
    },
  },
  {
    name: 'account-sessions',
    path: () => '/app/account/sessions',
    act: (page) => page.getByText('This device').waitFor(),
  },
  {
    name: 'account-tokens',
    path: () => '/app/account/tokens',
    act: (page) => page.getByText('Photo frame').waitFor(),
  },
  {
    name: 'account-new-token',
    path: () => '/app/account/tokens',
    act: async (page) => {
      await press(page, 'New token');
      await page.getByLabel('Only for one folder').check();
      await page.getByRole('button', { name: 'Recipes' }).waitFor();
    },
  },
  {
    name: 'account-token-made',
    path: () => '/app/account/tokens',
    act: async (page) => {
      await press(page, 'New token');
      await page.getByRole('dialog').getByLabel('Name').fill('Sync client');
      await page.getByRole('dialog').getByLabel('Your password', { exact: true }).fill(account.password);
      await press(page, 'Make token');
      await page.getByText('It is not shown again').waitFor();
    },
  },
  {
    name: 'admin-users',
    admin: true,
    path: () => '/app/admin',
    act: (page) =>
      page
        .getByRole('rowheader', { name: /ada.lovelace/ })
        .first()
        .waitFor(),
  },
  {
    name: 'admin-user',
    admin: true,
    path: (scene) => `/app/admin/users/${scene.people.ada.id}`,
    act: (page) => page.getByRole('meter').first().waitFor(),
  },
  {
    name: 'admin-user-menu',
    admin: true,
    path: () => '/app/admin',
    act: async (page) => {
      await page
        .getByRole('button', { name: /^Actions for ada.lovelace/ })
        .first()
        .click();
      await page.getByRole('menu').waitFor();
    },
  },
  {
    name: 'admin-new-user',
    admin: true,
    path: () => '/app/admin',
    act: async (page) => {
      await press(page, 'New user');
      await press(page, 'Make user');
      await page.getByText('Please enter an e-mail address').waitFor();
    },
  },
  {
    name: 'admin-quota',
    admin: true,
    path: (scene) => `/app/admin/users/${scene.people.ada.id}`,
    act: async (page) => {
      await press(page, 'Change limit');
      await page.getByRole('dialog').getByLabel('At most').fill('5');
      await page.getByText('stored already').waitFor();
    },
  },
  {
    name: 'admin-delete',
    admin: true,
    path: (scene) => `/app/admin/users/${scene.people.ada.id}`,
    act: async (page) => {
      await press(page, 'Delete account');
      await page.getByRole('alertdialog').waitFor();
    },
  },
  {
    name: 'admin-invitations',
    admin: true,
    path: () => '/app/admin/invitations',
    act: (page) =>
      page
        .getByRole('rowheader', { name: /katherine/ })
        .first()
        .waitFor(),
  },
  {
    name: 'admin-invitation',
    admin: true,
    path: () => '/app/admin/invitations',
    act: async (page) => {
      await press(page, 'New invitation');
      await press(page, 'Make invitation');
      await page.getByLabel('Link', { exact: true }).waitFor();
    },
  },
  {
    name: 'admin-groups',
    admin: true,
    path: () => '/app/admin/groups',
    act: (page) =>
      page
        .getByText(/grace.hopper/)
        .first()
        .waitFor(),
  },
  {
    name: 'admin-group',
    admin: true,
    path: () => '/app/admin/groups',
    act: async (page) => {
      await page
        .getByRole('button', { name: /^Greenhouse/ })
        .first()
        .click();
      await page.getByLabel('Add people').fill('alan');
      await page.getByRole('list', { name: 'People found' }).getByRole('button').first().waitFor();
    },
  },
  {
    name: 'admin-audit',
    admin: true,
    path: () => '/app/admin/audit',
    act: (page) => page.getByText('Invitation made').nth(1).waitFor(),
  },
  {
    name: 'admin-keys',
    admin: true,
    path: () => '/app/admin/keys',
    act: (page) => page.getByRole('button', { name: 'Rotate now' }).waitFor(),
  },
  {
    name: 'admin-not',
    path: () => '/app/admin',
    act: (page) => page.getByText('This is for administrators').waitFor(),
  },
  { name: 'grid', act: shown },
  { name: 'folder', path: folderOf, act: shown },
  {
    name: 'list',
    act: async (page) => {
      await shown(page);
      await page.getByRole('button', { name: 'List' }).click();
      await page.getByRole('columnheader', { name: 'Name' }).waitFor();
    },
  },
  {
    name: 'details',
    act: async (page, phone) => {
      await shown(page);
      if (phone)
        await entry(page, 'Two parrots.jpg')
          .getByRole('button', { name: /Actions/ })
          .click();
      else await entry(page, 'Two parrots.jpg').click({ button: 'right' });
      await choose(page, 'Details');
      await page.getByRole('complementary', { name: 'Details' }).waitFor();
    },
  },
  {
    name: 'selection',
    path: folderOf,
    act: async (page, phone) => {
      await shown(page);
      for (const name of ['IMG 2.png', 'IMG 3.png', 'IMG 5.png']) {
        if (phone) await entry(page, name).getByRole('checkbox').dispatchEvent('click');
        else await entry(page, name).click({ modifiers: ['Control'] });
      }
    },
  },
  {
    name: 'context-menu',
    act: async (page, phone) => {
      await shown(page);
      if (phone)
        await entry(page, 'Hats on a rail.jpg')
          .getByRole('button', { name: /Actions/ })
          .click();
      else await entry(page, 'Hats on a rail.jpg').click({ button: 'right' });
      await page.getByRole('menu').waitFor();
    },
  },
  {
    name: 'new-menu',
    act: async (page) => {
      await shown(page);
      await page.getByRole('button', { name: 'New', exact: true }).filter({ visible: true }).click();
      await page.getByRole('menu').waitFor();
    },
  },
  {
    name: 'new-folder',
    act: async (page) => {
      await shown(page);
      await page.getByRole('button', { name: 'New', exact: true }).filter({ visible: true }).click();
      await choose(page, 'New folder');
      await page.getByRole('dialog').waitFor();
    },
  },
  {
    name: 'move',
    act: async (page, phone) => {
      await shown(page);
      if (phone)
        await entry(page, 'Hats on a rail.jpg')
          .getByRole('button', { name: /Actions/ })
          .click();
      else await entry(page, 'Hats on a rail.jpg').click({ button: 'right' });
      await choose(page, /Move to…/);
      await page.getByRole('dialog').getByRole('button', { name: 'Recipes' }).waitFor();
    },
  },
  {
    name: 'rename',
    act: async (page, phone) => {
      await shown(page);
      if (phone)
        await entry(page, 'Two parrots.jpg')
          .getByRole('button', { name: /Actions/ })
          .click();
      else await entry(page, 'Two parrots.jpg').click({ button: 'right' });
      await choose(page, /Rename/);
      await page.getByRole('textbox', { name: /^New name for/ }).waitFor();
    },
  },
  {
    name: 'account-menu',
    act: async (page) => {
      await shown(page);
      await page
        .getByRole('button', { name: /^Account/ })
        .filter({ visible: true })
        .click();
      await page.getByRole('menu').waitFor();
    },
  },
  {
    name: 'help',
    act: async (page) => {
      await shown(page);
      await page.keyboard.press('?');
      await page.getByRole('dialog', { name: 'Keyboard shortcuts' }).waitFor();
    },
  },
  {
    name: 'empty',
    act: async (page) => {
      await shown(page);
      await page.getByText('Recipes', { exact: true }).first().waitFor();
      await entry(page, 'Recipes').dblclick();
      if (!(await page.getByText('This folder is empty').isVisible()))
        await entry(page, 'Recipes')
          .click({ timeout: 1000 })
          .catch(() => {});
      await page.getByText('This folder is empty').waitFor();
    },
  },
  { name: 'trash', path: () => '/app/trash', act: shown },
  {
    name: 'empty-trash',
    path: () => '/app/trash',
    act: async (page) => {
      await shown(page);
      await page.getByRole('button', { name: 'Empty trash' }).click();
      await page.getByRole('alertdialog').waitFor();
    },
  },
  {
    name: 'jobs',
    path: () => '/app/jobs',
    act: (page) => page.getByRole('region', { name: 'Background jobs' }).waitFor(),
  },
  {
    name: 'notifications',
    path: () => '/app/notifications',
    act: (page) => page.getByRole('region', { name: 'What happened' }).waitFor(),
  },
  {
    name: 'playing',
    act: async (page, phone) => {
      await view(page, phone, 'birdsong.wav', (dialog) => dialog.locator('audio').waitFor());
      await page.locator('audio').evaluate((one) => {
        one.muted = true;
        // It lasts a second.
        one.playbackRate = 0.07;
        return one.play();
      });
      await page.keyboard.press('Escape');
      await page.getByRole('region', { name: 'Playing' }).waitFor();
    },
  },
  {
    name: 'queue-overview',
    admin: true,
    path: () => '/app/queue',
    act: (page) => page.getByRole('region', { name: 'Running now' }).getByRole('link').nth(1).waitFor(),
  },
  {
    name: 'queue-list',
    admin: true,
    path: () => '/app/queue/list',
    act: (page) => page.getByRole('table', { name: 'Jobs' }).waitFor(),
  },
  {
    name: 'queue-dead',
    admin: true,
    path: () => '/app/queue/dead',
    act: async (page) => {
      await page.getByRole('region', { name: 'Failed jobs by type' }).waitFor();
      await page.getByRole('table', { name: 'Dead letters' }).waitFor();
    },
  },
  {
    name: 'queue-types',
    admin: true,
    path: () => '/app/queue/types',
    act: (page) => page.getByRole('button', { name: 'Pause transcode' }).waitFor(),
  },
  {
    name: 'queue-schedules',
    admin: true,
    path: () => '/app/queue/schedules',
    act: (page) => page.getByRole('region', { name: 'Schedules' }).waitFor(),
  },
  {
    name: 'queue-schedule',
    admin: true,
    path: () => '/app/queue/schedules',
    act: async (page) => {
      await press(page, 'New schedule');
      await page.getByLabel('Cron expression').fill('30 3 * * MON-FRI');
      await page.getByRole('region', { name: 'Next times' }).getByRole('listitem').nth(4).waitFor();
    },
  },
  {
    name: 'queue-new-job',
    admin: true,
    path: () => '/app/queue/list',
    act: async (page) => {
      await press(page, 'New job');
      await page.getByRole('dialog').getByLabel('Data (JSON)').fill('{ "a": 1, }');
      await press(page, 'Create job');
      await page.getByText('This is not JSON').waitFor();
    },
  },
  {
    name: 'queue-failed-job',
    admin: true,
    path: (scene) => `/app/queue/${scene.queue.failed}`,
    act: (page) => page.getByText('Attempt 3', { exact: true }).waitFor(),
  },
  {
    name: 'queue-running-job',
    admin: true,
    path: (scene) => `/app/queue/${scene.queue.active}`,
    act: (page) => page.getByRole('region', { name: 'Log' }).getByText('pass 1 of 2').waitFor(),
  },
  {
    name: 'share',
    path: folderOf,
    act: async (page) => {
      await shown(page);
      await page.getByRole('button', { name: 'Share this folder' }).click();
      await page.getByRole('dialog').getByText('Grandparents').waitFor();
    },
  },
  {
    name: 'share-search',
    path: folderOf,
    act: async (page) => {
      await shown(page);
      await page.getByRole('button', { name: 'Share this folder' }).click();
      await page.getByRole('dialog').getByText('Grandparents').waitFor();
      await page.getByRole('combobox', { name: 'Add people or groups' }).pressSequentially('g');
      await page.getByRole('option').first().waitFor();
    },
  },
  {
    name: 'share-inherited',
    path: folderOf,
    act: async (page, phone) => {
      await shown(page);
      if (phone)
        await entry(page, 'IMG 2.png')
          .getByRole('button', { name: /Actions/ })
          .click();
      else await entry(page, 'IMG 2.png').click({ button: 'right' });
      await choose(page, /^Share…/);
      await page.getByRole('dialog').getByText('from Photos').first().waitFor();
    },
  },
  {
    name: 'share-link',
    path: folderOf,
    act: async (page) => {
      await shown(page);
      await page.getByRole('button', { name: 'Share this folder' }).click();
      await page.getByRole('dialog').getByText('Grandparents').waitFor();
      await press(page, 'New link');
      await page.getByLabel('Download limit').fill('none');
      await press(page, 'Make link');
      await page.getByText('Please enter a whole number').waitFor();
    },
  },
  {
    name: 'share-qr',
    path: folderOf,
    act: async (page) => {
      await shown(page);
      await page.getByRole('button', { name: 'Share this folder' }).click();
      await page.getByRole('dialog').getByText('Grandparents').waitFor();
      await page.getByRole('button', { name: 'QR code' }).last().click();
      const code = page.getByRole('img', { name: /QR code of/ });
      await code.waitFor();
      await code.scrollIntoViewIfNeeded();
    },
  },
  { name: 'shared-with-me', path: () => '/app/shared', act: (page) => page.getByRole('table').waitFor() },
  { name: 'shared-by-me', path: () => '/app/shared/by-me', act: (page) => page.getByRole('table').waitFor() },
  { name: 'shared-access', path: () => '/app/shared/access', act: (page) => page.getByRole('table').waitFor() },
  {
    name: 'shared-folder',
    path: (scene) => `/app/files/${scene.sharing.lent}`,
    act: (page) => page.getByText('View only').waitFor(),
  },
  {
    name: 'link-password',
    out: true,
    path: (scene) => `/app/s/${scene.sharing.locked}`,
    act: async (page) => {
      await page.getByLabel('Password', { exact: true }).fill('a guess');
      await page.keyboard.press('Enter');
      await page.getByText('This is not its password.').waitFor();
    },
  },
  { name: 'link-gallery', out: true, path: (scene) => `/app/s/${scene.sharing.gallery}`, act: shown },
  {
    name: 'link-list',
    out: true,
    path: (scene) => `/app/s/${scene.sharing.gallery}`,
    act: async (page) => {
      await shown(page);
      await page.getByRole('button', { name: 'List' }).click();
      await page.getByRole('columnheader', { name: 'Name' }).waitFor();
    },
  },
  {
    name: 'link-file',
    out: true,
    path: (scene) => `/app/s/${scene.sharing.file}`,
    act: (page) => page.getByRole('button', { name: 'Download' }).waitFor(),
  },
  {
    name: 'link-drop',
    out: true,
    path: (scene) => `/app/s/${scene.sharing.drop}`,
    act: (page) => page.getByRole('button', { name: 'Choose files' }).waitFor(),
  },
  {
    name: 'link-dropped',
    out: true,
    path: (scene) => `/app/s/${scene.sharing.drop}`,
    act: async (page) => {
      await page.getByRole('button', { name: 'Choose files' }).waitFor();
      await page.route('**/children/slow*/content*', () => {});
      await dropFiles(page, [
        { name: 'Class picture 2025, with everybody in it.png', bytes: picture(320, 200, 20) },
        { name: 'report.pdf', bytes: text('report') },
        { name: 'slow film.mp4', bytes: text('film') },
      ]);
      await page.getByText('SHA-256').nth(1).waitFor();
    },
  },
  {
    name: 'link-editor',
    out: true,
    path: (scene) => `/app/s/${scene.sharing.editor}`,
    act: async (page) => {
      await shown(page);
      await dropFiles(page, [{ name: 'IMG 1.png', bytes: text('x') }]);
      await page.getByRole('button', { name: 'Keep both' }).waitFor();
    },
  },
  {
    name: 'link-gone',
    out: true,
    path: () => '/app/s/AAAAAAAAAAAAAAAAAAAAAA',
    act: (page) => page.getByText('This link opens nothing').waitFor(),
  },
  { name: 'recents', path: () => '/app/recents', act: shown },
  { name: 'starred', path: () => '/app/starred', act: shown },
  { name: 'tags', path: () => '/app/tags', act: (page) => page.getByRole('link', { name: /garden/ }).waitFor() },
  { name: 'tagged', path: () => '/app/tags?tag=garden', act: shown },
  {
    name: 'tagged-none',
    path: () => '/app/tags?tag=nobody',
    act: (page) => page.getByText('Nothing has this tag').waitFor(),
  },
  {
    name: 'tagging',
    path: () => '/app/starred',
    act: async (page) => {
      await shown(page);
      await grid(page).focus();
      await page.keyboard.press('Control+a');
      await page.keyboard.press('t');
      await page.getByRole('dialog').getByRole('combobox').fill('g');
      await page.getByRole('option', { name: 'garden' }).waitFor();
    },
  },
  {
    name: 'copying',
    act: async (page) => {
      await shown(page);
      await entry(page, 'Recipes')
        .getByRole('button', { name: /Actions/ })
        .dispatchEvent('click');
      await choose(page, /Copy to/);
      await page.getByRole('dialog').getByText('Invoices').waitFor();
    },
  },
  {
    name: 'versions',
    path: () => '/app/recents',
    act: async (page) => {
      await shown(page);
      await entry(page, 'Notes from the workshop.md')
        .getByRole('button', { name: /Actions/ })
        .dispatchEvent('click');
      await choose(page, 'Versions');
      await page.getByRole('button', { name: 'Actions for version 1' }).click();
      await choose(page, 'Compare with now');
      await page.getByText('less than now').waitFor();
    },
  },
  {
    name: 'failed',
    act: async (page) => {
      await shown(page);
      const results = Array.from({ length: 2 }, () => ({ status: 409, code: 'name_taken', detail: 'taken' }));
      await page.route('**/files/batch', (route) => route.fulfill({ json: { results } }));
      await entry(page, 'Two parrots.jpg').click({ modifiers: ['Control'] });
      await entry(page, 'Hats on a rail.jpg').click({ modifiers: ['Control'] });
      await page.keyboard.press('Delete');
      await press(page, 'Show why');
      await page.getByRole('dialog').getByText('Choose another one').nth(1).waitFor();
    },
  },
  {
    name: 'viewer',
    path: (scene) => `/app/files?view=${scene.firstPhoto}`,
    act: async (page) => {
      await page.getByRole('dialog').locator('img').first().waitFor();
      await page.waitForFunction(() =>
        [...document.querySelectorAll('[role=dialog] img')].every((image) => image.complete && image.naturalWidth > 0),
      );
    },
  },
  {
    name: 'viewer-text',
    act: (page, phone) =>
      view(page, phone, 'Notes from the workshop.md', (dialog) => dialog.getByText('seeds arrive').waitFor()),
  },
  {
    name: 'viewer-pdf',
    act: (page, phone) =>
      view(page, phone, 'Lease agreement.pdf', (dialog) => dialog.locator('canvas[data-drawn]').first().waitFor()),
  },
  {
    name: 'viewer-code',
    act: (page, phone) =>
      view(page, phone, 'greenhouse.py', (dialog) => dialog.locator('.hljs-keyword').first().waitFor()),
  },
  {
    name: 'viewer-table',
    act: (page, phone) => view(page, phone, 'readings.csv', (dialog) => dialog.getByRole('table').waitFor()),
  },
  {
    name: 'viewer-audio',
    act: (page, phone) =>
      view(page, phone, 'birdsong.wav', (dialog) => dialog.getByText('Blackbird at dawn').waitFor()),
  },
  {
    name: 'uploading',
    act: async (page) => {
      await shown(page);
      await page.route('**/children/harvest*/content*', () => {});
      await dropFiles(page, [
        { name: `pumpkin ${Date.now()}.png`, bytes: picture(320, 200, 20) },
        ...[1, 2, 3, 4].map((n) => ({ name: `harvest ${n}.png`, bytes: picture(300, 200, n * 40) })),
      ]);
      await page.getByRole('region', { name: 'Uploads' }).getByText('Uploaded').first().waitFor();
    },
  },
  {
    name: 'upload-paused',
    act: async (page) => {
      await endUploads(page);
      await page.reload();
      await shown(page);
      await page.route('**/uploads/*', (route) =>
        route.request().method() === 'PATCH' ? undefined : route.continue(),
      );
      const names = ['harvest film.mov', 'drone flight.mov'];
      await page.evaluate((list) => {
        const data = new DataTransfer();
        for (const name of list) data.items.add(new File([new Uint8Array(9e6)], name));
        document.querySelector('main').dispatchEvent(new DragEvent('drop', { dataTransfer: data, bubbles: true }));
      }, names);
      const tray = page.getByRole('region', { name: 'Uploads' });
      await tray.getByText('0 bytes of 9 MB').nth(1).waitFor();
      await tray.getByRole('button', { name: 'Pause harvest film.mov' }).click();
      await tray.getByRole('button', { name: 'Go on with harvest film.mov' }).waitFor();
    },
  },
  {
    name: 'upload-unfinished',
    act: async (page) => {
      await shown(page);
      await endUploads(page);
      await page.evaluate(async () => {
        for (const [name, sent] of [
          ['wedding.mov', 7_400_000],
          ['disk image.iso', 9_000_000],
        ])
          await fetch('/api/v1/uploads', {
            method: 'POST',
            headers: {
              'Tus-Resumable': '1.0.0',
              'Upload-Length': '9000000',
              'Upload-Metadata': `filename ${btoa(name)}`,
              'Content-Type': 'application/offset+octet-stream',
            },
            body: new Uint8Array(Math.min(sent, 8_999_999)),
          });
      });
      await page.reload();
      await page.getByRole('region', { name: 'Uploads' }).getByText('have arrived').first().waitFor();
    },
  },
  {
    name: 'conflict',
    act: async (page) => {
      await shown(page);
      await dropFiles(page, [
        { name: 'readings.csv', bytes: text('1') },
        { name: 'birdsong.wav', bytes: text('2') },
      ]);
      await page.getByRole('dialog').waitFor();
    },
  },
  {
    name: 'toast',
    path: folderOf,
    act: async (page, phone) => {
      await shown(page);
      if (phone)
        await entry(page, 'IMG 9.png')
          .getByRole('button', { name: /Actions/ })
          .click();
      else await entry(page, 'IMG 9.png').click({ button: 'right' });
      await choose(page, /Move to trash/);
      await page.getByText('Moved “IMG 9.png”').waitFor();
      await page.keyboard.press('Control+z');
      await page.getByText('Undone').waitFor();
    },
  },
  {
    name: 'error',
    act: async (page) => {
      await shown(page);
      await page.route('**/children*', (route) =>
        route.fulfill({
          status: 503,
          headers: { 'Retry-After': '30' },
          contentType: 'application/problem+json',
          body: JSON.stringify({
            type: 'about:blank',
            title: 'Unavailable',
            status: 503,
            detail: 'away',
            code: 'unavailable',
            error: 'away',
            requestId: 'req-5f1c',
          }),
        }),
      );
      await page.reload();
      await page.getByText('could not be read').waitFor();
    },
  },
  {
    name: 'offline',
    act: async (page) => {
      await shown(page);
      await page.context().setOffline(true);
      await page.getByText('No connection').waitFor();
    },
  },
  {
    name: 'not-there',
    path: () => '/app/files/0123456789abcdef01234567',
    act: (page) => page.getByText('This folder is not there').waitFor(),
  },
];

const VARIANTS = [
  { suffix: 'light', scheme: 'light' },
  { suffix: 'dark', scheme: 'dark' },
  { suffix: 'phone', scheme: 'light', phone: true, scale: 2 },
  { suffix: 'phone-dark', scheme: 'dark', phone: true, scale: 2 },
];

const browser = await launch();
const asked = (name) => wanted.length === 0 || wanted.some((one) => name.startsWith(one));

if ((await setupState()).needed && setupCode && asked('setup')) {
  for (const { suffix, ...variant } of VARIANTS) {
    const page = await openPage(browser, variant);
    await page.goto(address);
    await page.getByLabel('Set-up code').waitFor();
    await page.screenshot({ path: join(folder, `setup-${suffix}.png`) });
    await endPage(page);
  }
}
await ensureSetUp();
// A name as people have them, if nobody took pictures of this installation before.
const account = await newAccount('ada', 'ada@example.org').catch(() => newAccount('ada'));
const scene = await furnish(account);
const admin = await administrator();
const wants = (...parts) => screens.some(({ name }) => parts.some((part) => name.startsWith(part)) && asked(name));
if (wants('share', 'link')) scene.sharing = await furnishSharing(account, scene);
if (wants('notifications')) await furnishNews(account);
if (wants('queue')) scene.queue = await furnishQueue(admin);
if (wants('admin')) scene.people = await furnishPeople(admin);
if (wants('account-')) await furnishTokens(account, scene.photosFolder);

const failures = [];
for (const { suffix, phone = false, ...variant } of VARIANTS) {
  for (const screen of screens.filter(({ name }) => asked(name))) {
    const page = await openPage(browser, { ...variant, phone });
    try {
      const path = screen.path?.(scene) ?? '/app/files';
      if (screen.out) await page.goto(address + path);
      else await signIn(page, screen.admin ? admin : account, path);
      await screen.act(page, phone);
      await settled(page);
    } catch (error) {
      failures.push(`${screen.name}-${suffix}: ${error.message}`);
    }
    await page.screenshot({ path: join(folder, `${screen.name}-${suffix}.png`) });
    page.problems.length = 0;
    await endPage(page);
  }
}
await browser.close();
if (failures.length > 0) throw new Error(`not as it should be:\n${failures.join('\n')}`);

/** Pictures that are still on their way, and movements not yet at their end, would make another picture each time. */
async function settled(page) {
  await page.waitForFunction(() => [...document.images].every((image) => image.complete));
  await page.evaluate(() =>
    Promise.all(
      document
        .getAnimations()
        .filter((one) => one.effect?.getComputedTiming().iterations === 1)
        .map((one) => one.finished.catch(() => {})),
    ),
  );
}
