// All that is one's own, taken along: asked for, followed, downloaded, over and failed.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { check } from '../support/axe.mjs';
import { journey } from '../support/journey.mjs';
import { mailTo } from '../support/mail.mjs';
import { makeFolder, until, upload } from '../support/product.mjs';
import { text } from '../support/samples.mjs';
import { signIn, toast } from '../support/steps.mjs';

const button = (page, name) => page.getByRole('button', { name, exact: true }).filter({ visible: true });
const card = (page) => page.getByRole('region', { name: 'Take everything with you' });

async function askFor(page, account, opener = 'Prepare archive…') {
  await button(page, opener).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Your password', { exact: true }).fill(account.password);
  await dialog.getByRole('button', { name: 'Prepare archive', exact: true }).click();
  await dialog.waitFor({ state: 'detached' });
}

/** What the page is told of the export, from now on. */
const told = (page, state) =>
  page.route('**/api/v1/users/me/export', (route) =>
    route.request().method() === 'GET'
      ? route.fulfill({ contentType: 'application/json', body: JSON.stringify(state) })
      : route.fallback(),
  );
const none = { state: 'none', requestedAt: null, endedAt: null, expiresAt: null, sizeBytes: null, url: null };

journey('an archive of everything is asked for with the password, and downloaded', async ({ page, account }) => {
  const folder = await makeFolder(account, 'root', 'Letters');
  await upload(account, folder.id, 'to-ada.txt', text('The very words of the letter'));
  await signIn(page, account, '/app/account');
  await button(page, 'Prepare archive…').click();
  const dialog = page.getByRole('dialog');
  await dialog.getByRole('button', { name: 'Prepare archive', exact: true }).click();
  await dialog.getByText('Please enter your password.').waitFor();
  await dialog.getByLabel('Your password', { exact: true }).fill('not my password');
  await dialog.getByRole('button', { name: 'Prepare archive', exact: true }).click();
  await dialog.getByText('This is not your password').waitFor();
  await check(page, 'asking for an export, with a mistake');
  await page.keyboard.press('Escape');
  await dialog.waitFor({ state: 'detached' });

  await askFor(page, account);
  await card(page).getByText('Ready to download').waitFor();
  await card(page).getByText('can be downloaded until').waitFor();
  await mailTo(account.email, 'Your export is ready');
  await check(page, 'an export that is ready');

  for (const [name, ending] of [
    ['Download as zip', 'zip'],
    ['Download as tar', 'tar'],
  ]) {
    const [download] = await Promise.all([page.waitForEvent('download'), button(page, name).click()]);
    assert.match(download.suggestedFilename(), new RegExp(`\\.${ending}$`));
    const bytes = readFileSync(await download.path()).toString('latin1');
    for (const part of [
      'files/Letters/to-ada.txt',
      'The very words of the letter',
      'account/profile.json',
      account.email,
    ])
      assert.ok(bytes.includes(part), `${part} is in the ${ending}`);
  }

  await page.reload();
  await card(page).getByText('Ready to download').waitFor();
  await askFor(page, account, 'Prepare a new one…');
  await card(page).getByText('Ready to download').waitFor();
});

journey('what is under way shows how far it is, also in German', async ({ page, account }) => {
  const running = { ...none, state: 'running', requestedAt: new Date().toISOString() };
  await told(page, running);
  let progress = 0;
  await page.route('**/api/v1/users/me/jobs?type=account-export*', async (route) => {
    const job = { id: '5f1e8896c7ba06511e683b25', type: 'account-export', state: 'active', progress };
    await route.fulfill({
      contentType: 'application/json',
      body: JSON.stringify({ items: [job], nextCursor: null, total: 1 }),
    });
  });
  // Without events the page looks now and then.
  await page.route('**/api/v1/users/me/jobs/events', (route) => route.abort());
  await signIn(page, account, '/app/account');
  const bar = card(page).getByRole('progressbar', { name: 'Being put together' });
  await bar.waitFor();
  assert.equal(await bar.getAttribute('aria-valuenow'), null, 'nobody knows yet');
  assert.equal(await button(page, 'Prepare archive…').count(), 0, 'it is under way');
  progress = 40;
  await until('the progress is shown', async () => (await bar.getAttribute('aria-valuenow')) === '40');
  await card(page).getByText('You may leave this page').waitFor();
  await check(page, 'an export under way');

  await page.getByLabel('Language', { exact: true }).selectOption('Deutsch');
  await page.getByRole('region', { name: 'Alles mitnehmen' }).getByText('Wird zusammengestellt').waitFor();
});

journey('what failed is asked for again, and what is over is not downloaded', async ({ page, account }) => {
  const now = new Date().toISOString();
  await told(page, { ...none, state: 'failed', requestedAt: now, endedAt: now });
  await signIn(page, account, '/app/account');
  await card(page).getByText('Not put together').waitFor();
  await check(page, 'an export that failed');
  await page.unroute('**/api/v1/users/me/export');
  await askFor(page, account, 'Prepare a new one…');
  await button(page, 'Download as zip').waitFor();

  await told(page, none);
  await button(page, 'Download as zip').click();
  await toast(page, 'The archive is not there any more').waitFor();
  await button(page, 'Prepare archive…').waitFor();

  await page.unroute('**/api/v1/users/me/export');
  await page.route('**/api/v1/users/me/export', (route) => route.abort());
  await page.reload();
  await card(page).getByRole('alert').waitFor();
  await page.unroute('**/api/v1/users/me/export');
  await button(page, 'Try again').click();
  await card(page).getByText('Ready to download').waitFor();
});
