// Signing in by an identity provider: a real one, which this file starts where the product was told that it would be.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { fileURLToPath } from 'node:url';
import { address } from '../support/browser.mjs';
import { journey } from '../support/journey.mjs';
import { ensureSetUp, ok, until } from '../support/product.mjs';
import { signIn } from '../support/steps.mjs';

const port = process.env.FM_E2E_PROVIDER_PORT;
const issuer = `http://127.0.0.1:${port}`;
const folder = mkdtempSync(join(tmpdir(), 'fm-provider-'));
const script = fileURLToPath(new URL('../support/provider.mjs', import.meta.url));
let running = null;

after(() => {
  running?.kill();
  rmSync(folder, { recursive: true });
});

/** The provider, and the product that reaches it. */
async function provider() {
  if (running) return;
  running = spawn('node', [script, port, folder], { stdio: 'ignore' });
  const told = {
    redirectUris: [`${address}/api/v1/auth/oidc/company/callback`],
    logoutUris: [`${address}/app/`],
  };
  await until('the provider takes what it is told', () =>
    fetch(`${issuer}/control`, { method: 'POST', body: JSON.stringify(told) }).catch(() => null),
  );
  // it was away before, and is not asked again at once
  await until('the product reaches the provider', async () => {
    const answer = await fetch(`${address}/api/v1/auth/oidc/company/start`, { redirect: 'manual' });
    return answer.status === 303;
  });
}

const by = (page) => page.getByRole('button', { name: 'Sign in with The company' });

async function atProvider(page, login) {
  await page.getByLabel('Login').fill(login);
  await page.getByRole('button', { name: 'Continue' }).click();
}

journey(
  'a provider that is away is said to be, and the password goes on working',
  async ({ page }) => {
    await ensureSetUp();
    await page.goto(address);
    await by(page).click();
    await page.getByText('The identity provider does not answer').waitFor();
    assert.equal(new URL(page.url()).hash, '', 'the address does not keep it');
    await page.getByRole('button', { name: 'Back to the sign-in' }).click();
    await page.getByLabel('Password', { exact: true }).waitFor();
  },
  { stranger: true },
);

journey(
  'somebody new comes in by a provider, and goes out there too',
  async ({ page }) => {
    await provider();
    await page.goto(`${address}/app/jobs`);
    await by(page).click();
    await atProvider(page, 'refuse');
    await page.getByText('The identity provider did not sign you in').waitFor();
    await page.getByRole('button', { name: 'Back to the sign-in' }).click();
    await by(page).click();
    await atProvider(page, 'new@example.org');
    await page.getByRole('navigation', { name: 'Places' }).first().waitFor();
    assert.equal(new URL(page.url()).origin, address);

    await page
      .getByRole('button', { name: /^Account/ })
      .filter({ visible: true })
      .click();
    await page.getByRole('menuitem', { name: 'Sign out' }).click();
    await page.waitForURL((url) => url.href.startsWith(`${issuer}/session/end`));
    await page.getByRole('button', { name: /yes/i }).click();
    await page.waitForURL(`${address}/app/`);
    await by(page).waitFor();
  },
  { stranger: true },
);

journey('an account is linked to a provider by its owner', async ({ page, account }) => {
  await provider();
  // the provider says the same address, and that alone opens nothing
  await page.goto(address);
  await by(page).click();
  await atProvider(page, account.email);
  await page.getByText('There is an account with your address already').waitFor();
  await page.getByRole('button', { name: 'Back to the sign-in' }).click();

  await page.context().clearCookies();
  await signIn(page, account, '/app/account/security');
  await page.getByRole('button', { name: 'Link The company' }).click();
  await page.getByRole('dialog').getByRole('textbox', { name: 'Your password' }).fill(account.password);
  await page.getByRole('button', { name: 'Go there' }).click();
  await atProvider(page, account.email);
  await page.getByRole('button', { name: 'Remove The company' }).waitFor();
  assert.equal(new URL(page.url()).pathname, '/app/account/security');

  await ok('POST', '/auth/logout', { token: account.token });
  await page.context().clearCookies();
  await page.goto(address);
  await by(page).click();
  await atProvider(page, account.email);
  await page.getByRole('navigation', { name: 'Places' }).first().waitFor();
  await page.goto(`${address}/app/account/security`);
  await page.getByRole('button', { name: 'Remove The company' }).click();
  await page.getByRole('alertdialog').getByRole('button', { name: 'Remove', exact: true }).click();
  await page.getByRole('button', { name: 'Remove The company' }).waitFor({ state: 'detached' });
});
