// German from the browser and by choice, and a page that is read from right to left.
import assert from 'node:assert/strict';
import { address } from '../support/browser.mjs';
import { journey } from '../support/journey.mjs';
import { makeFolder, upload } from '../support/product.mjs';
import { text } from '../support/samples.mjs';
import { entry, signIn } from '../support/steps.mjs';

const account = (page) =>
  page
    .getByRole('button', { name: /^(Account|Konto)/ })
    .filter({ visible: true })
    .click();

const speak = (page, language) => page.getByRole('menuitemradio', { name: language }).click();

journey('another language is chosen, is kept, and follows the browser again', async ({ page, account: user }) => {
  await upload(user, 'root', 'notes.md', text('# Notes\n'));
  await upload(user, 'root', 'large.txt', text('x'.repeat(1_234_000)));
  await signIn(page, user);
  await entry(page, 'notes.md').waitFor();
  await account(page);
  await speak(page, 'Deutsch');
  await page.getByRole('heading', { name: 'Dateien', exact: true }).waitFor();
  assert.equal(await page.locator('html').getAttribute('lang'), 'de');
  await page.getByText('2 Einträge').first().waitFor();
  await page.getByText('1,2 MB').first().waitFor();
  await page.waitForFunction(() => document.title === 'Dateien – Files Manager');

  // Parts that come later come in the same language.
  await entry(page, 'notes.md').dblclick();
  await page.getByRole('dialog', { name: 'Ansicht von notes.md' }).waitFor();
  await page.getByRole('button', { name: 'Quelltext' }).waitFor();
  await page.reload();
  await page.getByRole('button', { name: 'Quelltext' }).waitFor();
  await page.keyboard.press('Escape');
  await account(page);
  await speak(page, 'Wie der Browser');
  await page.getByRole('heading', { name: 'Files', exact: true }).waitFor();
  assert.equal(await page.locator('html').getAttribute('lang'), 'en');
});

journey(
  'a browser that asks for German gets it from the first word on',
  async ({ page }) => {
    await page.goto(`${address}/app/register`);
    await page.getByRole('heading', { name: 'Konto anlegen' }).waitFor();
    await page.getByRole('button', { name: 'Konto anlegen' }).click();
    await page.getByText('Bitte gib eine E-Mail-Adresse ein').waitFor();
  },
  { locale: 'de-AT' },
);

journey('from right to left nothing leaves the window', async ({ page, account: user }) => {
  await makeFolder(user, 'root', 'מסמכים');
  await upload(user, 'root', 'تقرير.txt', text('مرحبا\n'));
  await upload(user, 'root', 'plain.csv', text('a,b\n1,2\n'));
  await page.addInitScript(() => {
    document.addEventListener('DOMContentLoaded', () => {
      document.documentElement.dir = 'rtl';
    });
  });
  await signIn(page, user);
  await entry(page, 'מסמכים').waitFor();
  const fits = async (what) => {
    const over = await page.evaluate(() => {
      const width = document.documentElement.clientWidth;
      return [...document.querySelectorAll('button, a, h1, h2, input, .entry')]
        .filter((one) => one.checkVisibility() && !one.closest('[role=table], .hidden'))
        .map((one) => [one.outerHTML.slice(0, 120), one.getBoundingClientRect()])
        .filter(([, box]) => box.width > 1 && (box.left < -1 || box.right > width + 1))
        .map(([html]) => html);
    });
    assert.deepEqual(over, [], `${what} leaves the window`);
  };
  await fits('the grid');
  const rail = await page.getByRole('navigation', { name: 'Places' }).first().boundingBox();
  assert.ok(rail.x > 640, 'the rail stands at the right');
  await page.getByRole('button', { name: 'List', exact: true }).click();
  await page.getByRole('columnheader', { name: 'Name' }).waitFor();
  await fits('the list');
  await entry(page, 'plain.csv').dblclick();
  await page.getByRole('table').waitFor();
  await fits('the viewer');
  await page.keyboard.press('Escape');
  await account(page);
  await page.getByRole('menu').waitFor();
  await fits('the menu');
});
