// Every screen against axe-core's rules for WCAG 2.2 AA, in both themes and on a phone.
import { check } from '../support/axe.mjs';
import { address } from '../support/browser.mjs';
import { journey } from '../support/journey.mjs';
import { text } from '../support/samples.mjs';
import { furnish } from '../support/scene.mjs';
import { choose, dropFiles, entry, grid, signIn } from '../support/steps.mjs';

for (const scheme of ['light', 'dark']) {
  for (const phone of [false, true]) {
    journey(
      `axe finds nothing, ${scheme}${phone ? ', phone' : ''}`,
      async ({ page, account }) => {
        await page.goto(address);
        await page.getByRole('button', { name: 'Sign in', exact: true }).waitFor();
        await check(page, 'sign-in');
        await page.goto(`${address}/app/register`);
        await page.getByRole('button', { name: 'Create account' }).waitFor();
        await page.getByRole('button', { name: 'Create account' }).click();
        await check(page, 'register, with mistakes');

        const scene = await furnish(account);
        await signIn(page, account);
        await entry(page, 'Photos').waitFor();
        await check(page, 'grid');
        await entry(page, 'Hats on a rail.jpg')
          .getByRole('button', { name: /Actions/ })
          .dispatchEvent('click');
        await page.getByRole('menu').waitFor();
        await check(page, 'menu');
        await choose(page, 'Details');
        await page.getByRole('complementary').waitFor();
        await check(page, 'details and selection');
        await page.getByRole('button', { name: 'Close details' }).click();
        await page.getByRole('button', { name: 'Clear the selection' }).click();
        await page.getByRole('button', { name: 'List', exact: true }).click();
        await page.getByRole('columnheader', { name: 'Name' }).waitFor();
        await check(page, 'list');
        await grid(page).focus();
        await page.keyboard.press('End');
        await page.keyboard.press('F2');
        await page.getByRole('textbox', { name: /^New name for/ }).waitFor();
        await check(page, 'rename');
        await page.keyboard.press('Escape');
        await page.keyboard.press('m');
        await page.getByRole('dialog').getByText('Recipes').waitFor();
        await check(page, 'move');
        await page.keyboard.press('Escape');
        await page.getByRole('dialog').waitFor({ state: 'detached' });
        await page.keyboard.press('?');
        await page.getByRole('dialog').waitFor();
        await check(page, 'help');
        await page.keyboard.press('Escape');

        await dropFiles(page, [
          { name: 'fresh.txt', bytes: text('x') },
          { name: 'readings.csv', bytes: text('x') },
        ]);
        await page.getByRole('dialog', { name: /is there already/ }).waitFor();
        await check(page, 'conflict');
        await page.keyboard.press('Escape');
        await page.getByRole('region', { name: 'Uploads' }).getByText('Skipped').waitFor();
        await check(page, 'tray');

        await page.goto(`${address}/app/files?view=${scene.firstPhoto}`);
        await page.getByRole('dialog').locator('img').first().waitFor();
        await check(page, 'viewer');
        await page.goto(`${address}/app/starred`);
        await entry(page, 'Photos').waitFor();
        await check(page, 'starred');
        await grid(page).focus();
        await page.keyboard.press('Control+a');
        await page.keyboard.press('t');
        await page.getByRole('dialog').getByRole('combobox').fill('g');
        await page.getByRole('option', { name: 'garden' }).waitFor();
        await check(page, 'tagging');
        await page.goto(`${address}/app/tags`);
        await page.getByRole('link', { name: /garden/ }).waitFor();
        await check(page, 'tags');
        await page.goto(`${address}/app/tags?tag=nobody`);
        await page.getByText('Nothing has this tag').waitFor();
        await check(page, 'a tag that nothing has');
        await page.goto(`${address}/app/recents`);
        await entry(page, 'Notes from the workshop.md')
          .getByRole('button', { name: /Actions/ })
          .dispatchEvent('click');
        await choose(page, 'Versions');
        await page.getByRole('button', { name: 'Actions for version 1' }).click();
        await choose(page, 'Compare with now');
        await page.getByText('less than now').waitFor();
        await check(page, 'recents and versions');
        const history = page.getByRole('complementary', { name: 'Details' });
        await history.getByRole('button', { name: 'History', exact: true }).click();
        await history.getByText('Got new content').waitFor();
        await check(page, 'history');
        await page.getByRole('button', { name: 'Close details' }).click();
        await page.goto(`${address}/app/trash`);
        await grid(page).waitFor();
        await check(page, 'trash');
        await page.getByRole('button', { name: 'Empty trash', exact: true }).click();
        await page.getByRole('alertdialog').waitFor();
        await check(page, 'question');
        await page.goto(`${address}/app/jobs`);
        await page.getByRole('region', { name: 'Background jobs' }).waitFor();
        await check(page, 'jobs');
        await page.goto(`${address}/app/notifications`);
        // The broken picture of the scene has a job that fails.
        await page.getByRole('main').getByRole('listitem').first().waitFor();
        await check(page, 'notifications');
        await page.goto(`${address}/app/files/0123456789abcdef01234567`);
        await page.getByText('This folder is not there').waitFor();
        await check(page, 'nothing there');
      },
      { scheme, phone },
    );
  }
}
