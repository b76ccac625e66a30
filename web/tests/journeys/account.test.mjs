import assert from 'node:assert/strict';
import { address } from '../support/browser.mjs';
import { journey } from '../support/journey.mjs';
import { ensureSetUp, makeFolder } from '../support/product.mjs';
import { entry, grid, loseSession, signIn, signInAndFollow } from '../support/steps.mjs';

journey(
  'somebody registers, signs out and in again',
  async ({ page }) => {
    await ensureSetUp();
    const email = `new-${process.pid}-${Date.now()}@example.org`;
    await page.goto(address);
    await page.getByRole('link', { name: 'Create account' }).click();
    await page.getByRole('heading', { name: 'Create your account' }).waitFor();
    await page.getByLabel('E-mail').fill(email);
    await page.getByLabel('Password', { exact: true }).fill('short');
    await page.getByRole('button', { name: 'Create account' }).click();
    await page.getByText('Please use 8 characters or more').waitFor();
    await page.getByLabel('Password', { exact: true }).fill('long enough now');
    await page.getByRole('button', { name: 'Create account' }).click();
    await page.getByText('This is the place for your files').waitFor();
    assert.equal(new URL(page.url()).pathname, '/app/files');

    await page
      .getByRole('button', { name: /^Account/ })
      .filter({ visible: true })
      .click();
    await page.getByRole('menuitem', { name: 'Sign out' }).click();
    await page.getByRole('heading', { name: 'Sign in' }).waitFor();

    await page.getByLabel('E-mail').fill(email);
    await page.getByLabel('Password', { exact: true }).fill('wrong password');
    await page.getByRole('button', { name: 'Sign in', exact: true }).click();
    await page.getByText('do not belong together').waitFor();
    await page.getByLabel('Password', { exact: true }).fill('long enough now');
    await page.getByRole('button', { name: 'Sign in', exact: true }).click();
    await page.getByText('This is the place for your files').waitFor();
  },
  { stranger: true },
);

journey('an address that is taken is said so', async ({ page, account }) => {
  await page.goto(`${address}/app/register`);
  await page.getByLabel('E-mail').fill(account.email.toUpperCase());
  await page.getByLabel('Password', { exact: true }).fill('another password');
  await page.getByRole('button', { name: 'Create account' }).click();
  await page.getByText('There is an account with this e-mail address already').waitFor();
});

journey('an account that waits to be deleted is kept by a sign-in', async ({ page, account }) => {
  await makeFolder(account, 'root', 'Kept');
  const asked = await fetch(`${address}/api/v1/users/me`, {
    method: 'DELETE',
    headers: { authorization: `Bearer ${account.token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ password: account.password }),
  });
  assert.equal(asked.status, 202);
  await page.goto(address);
  await page.getByLabel('E-mail').fill(account.email);
  await page.getByLabel('Password', { exact: true }).fill(account.password);
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  await page.getByText('This account waits to be deleted').waitFor();
  await page.getByRole('button', { name: 'Keep the account and sign in' }).click();
  await entry(page, 'Kept').waitFor();
});

journey('a session that ends leads back to the same place', async ({ page, account }) => {
  const folder = await makeFolder(account, 'root', 'Deep');
  await makeFolder(account, folder.id, 'Deeper');
  await signInAndFollow(page, account, `/app/files/${folder.id}`);
  await entry(page, 'Deeper').waitFor();
  await loseSession(page, () => entry(page, 'Deeper').dblclick());
  await page.getByRole('heading', { name: 'Sign in again' }).waitFor();
  assert.equal(await page.getByLabel('E-mail').inputValue(), account.email);
  await page.getByLabel('Password', { exact: true }).fill(account.password);
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  await page.getByRole('heading', { name: 'Deeper' }).waitFor();
});

journey('light and dark follow the system, or the choice, and are remembered', async ({ page, account }) => {
  const ground = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
  await signIn(page, account);
  const light = await ground();
  await page.emulateMedia({ colorScheme: 'dark' });
  const dark = await ground();
  assert.notEqual(light, dark);
  await page
    .getByRole('button', { name: /^Account/ })
    .filter({ visible: true })
    .click();
  await page.getByRole('menuitemradio', { name: 'Light' }).click();
  assert.equal(await ground(), light);
  await page.reload();
  await page.getByText('This is the place for your files').waitFor();
  assert.equal(await ground(), light);
});

journey('an address that leads nowhere says so', async ({ page, account }) => {
  await signIn(page, account, '/app/nowhere');
  await page.getByRole('heading', { name: 'There is nothing at this address' }).waitFor();
  await page.getByRole('button', { name: 'Go to your files' }).click();
  await page.getByText('This is the place for your files').waitFor();
  assert.equal(await grid(page).count(), 0);
});
