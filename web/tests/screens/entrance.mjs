// Before one is signed in.
import { address } from '../support/browser.mjs';
import { press } from './acts.mjs';

export const entrance = [
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
    act: async (page, _phone, account) => {
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
];
