// One's own account.
import { press, showDeliveries, showExport } from './acts.mjs';

export const account = [
  {
    name: 'account-profile',
    path: () => '/app/account',
    act: (page) => page.getByText('Language and appearance').waitFor(),
  },
  {
    name: 'account-storage',
    path: () => '/app/account/storage',
    act: (page) => page.getByRole('rowheader', { name: 'Pictures' }).waitFor(),
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
    act: (page) => page.getByRole('button', { name: 'Turn on', exact: true }).waitFor(),
  },
  {
    name: 'account-totp',
    path: () => '/app/account/security',
    act: async (page, _phone, who) => {
      await press(page, 'Turn on');
      await page.getByRole('dialog').getByLabel('Your password', { exact: true }).fill(who.password);
      await press(page, 'Go on');
      await page.getByRole('img', { name: /QR code/ }).waitFor();
    },
  },
  {
    name: 'account-recovery',
    path: () => '/app/account/security',
    act: async (page, _phone, who) => {
      await page.route('**/api/v1/users/me/totp/confirm', (route) =>
        route.fulfill({
          contentType: 'application/json',
          body: JSON.stringify({
            recoveryCodes: Array.from({ length: 10 }, (_, n) => `K1B${n}-1QNF-T1PW-AHM${n}`),
          }),
        }),
      );
      await press(page, 'Turn on');
      await page.getByRole('dialog').getByLabel('Your password', { exact: true }).fill(who.password);
      await press(page, 'Go on');
      await page.getByLabel('Code of the app').fill('123456');
      await page.getByRole('dialog').getByRole('button', { name: 'Turn on', exact: true }).click();
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
    act: async (page, _phone, who) => {
      await press(page, 'New token');
      await page.getByRole('dialog').getByLabel('Name').fill('Sync client');
      await page.getByRole('dialog').getByLabel('Your password', { exact: true }).fill(who.password);
      await press(page, 'Make token');
      await page.getByText('It is not shown again').waitFor();
    },
  },
  {
    name: 'account-webhooks',
    path: () => '/app/account/webhooks',
    act: (page) => page.getByRole('link', { name: 'Inventory' }).waitFor(),
  },
  {
    name: 'account-new-webhook',
    path: () => '/app/account/webhooks',
    act: async (page) => {
      await press(page, 'New webhook');
      await page.getByLabel('Address').fill('https://example.org/hooks/files');
      await page.getByLabel('Added').check();
    },
  },
  {
    name: 'account-webhook',
    path: (scene) => `/app/account/webhooks/${scene.webhook}`,
    act: async (page) => {
      await showDeliveries(page);
      await page.getByRole('button', { name: /^Added/ }).click();
      await page.getByText('next attempt').waitFor();
    },
  },
];
