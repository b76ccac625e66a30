// Runs first: the set-up step can be seen only once in an installation's life.
import assert from 'node:assert/strict';
import { address, setupCode } from '../support/browser.mjs';
import { journey } from '../support/journey.mjs';
import { ADMIN, ensureSetUp, setupState } from '../support/product.mjs';

journey(
  'a fresh installation asks for its code, then for nothing more',
  async ({ page }) => {
    if (!(await setupState()).needed) {
      // Set up already, by an earlier run: then it must ask for a sign-in and not for a code.
      await ensureSetUp();
      await page.goto(address);
      await page.getByRole('heading', { name: 'Sign in' }).waitFor();
      assert.equal(await page.getByLabel('Set-up code').count(), 0);
      return;
    }
    await page.goto(address);
    await page.getByRole('heading', { name: 'Welcome' }).waitFor();
    const code = page.getByLabel('Set-up code');
    const finish = page.getByRole('button', { name: 'Finish set-up' });

    await finish.click();
    await page.getByText('Please enter the code').waitFor();
    await page.getByText('Please use 8 characters or more').waitFor();

    await code.fill('not the code');
    await page.getByLabel('E-mail').fill(ADMIN.email);
    await page.getByLabel('Password', { exact: true }).fill(ADMIN.password);
    await finish.click();
    await page.getByText('This is not the code').waitFor();
    assert.equal(await page.getByLabel('E-mail').inputValue(), ADMIN.email, 'what was typed is kept');

    await code.fill(setupCode);
    await finish.click();
    await page.getByRole('heading', { name: 'This is the place for your files' }).waitFor();
    await page.reload();
    await page.getByRole('heading', { name: 'This is the place for your files' }).waitFor();
  },
  { stranger: true },
);
