// Every screen of the dashboard against axe-core's rules, in both themes and on a phone.
import { check } from '../support/axe.mjs';
import { address } from '../support/browser.mjs';
import { journey } from '../support/journey.mjs';
import { administrator, furnishQueue } from '../support/queue.mjs';
import { signIn } from '../support/steps.mjs';

let scene = null;

for (const scheme of ['light', 'dark']) {
  for (const phone of [false, true]) {
    journey(
      `axe finds nothing on the dashboard of jobs, ${scheme}${phone ? ', phone' : ''}`,
      async ({ page }) => {
        const admin = await administrator();
        scene ??= await furnishQueue(admin);
        const act = (name) => page.getByRole('button', { name, exact: true }).filter({ visible: true }).first();
        const to = (path) => page.goto(`${address}/app/queue${path}`);
        await signIn(page, admin, '/app/queue');
        await page
          .getByRole('region', { name: 'Running now' })
          .getByRole('link', { name: 'transcode' })
          .first()
          .waitFor();
        await page.getByText('The same figures as a table').click();
        await page.getByRole('region', { name: 'Figures of the charts' }).waitFor();
        await check(page, 'overview');
        await to('/list');
        await page.getByRole('table', { name: 'Jobs' }).waitFor();
        if (phone) await act('Filter').click();
        await page.getByRole('combobox', { name: 'Arrived' }).selectOption('Between two dates…');
        await page.getByLabel('From').waitFor();
        await check(page, 'list');
        await page
          .getByRole('button', { name: /^Actions for/ })
          .first()
          .click();
        await page.getByRole('menu').waitFor();
        await check(page, 'menu of a job');
        await page.keyboard.press('Escape');
        await act('New job').click();
        await page.getByRole('dialog').getByLabel('Data (JSON)').fill('{');
        await page.getByRole('button', { name: 'Create job' }).click();
        await page.getByText('This is not JSON').waitFor();
        await check(page, 'new job, with mistakes');
        await to('/list?q=nothing+of+the+kind');
        await page.getByRole('heading', { name: 'No such jobs' }).waitFor();
        await check(page, 'nothing found');
        await to('/dead');
        await page.getByRole('table', { name: 'Dead letters' }).waitFor();
        await page.getByRole('region', { name: 'Failed jobs by type' }).waitFor();
        await check(page, 'dead letters');
        await page.getByRole('button', { name: /^Retry all/ }).click();
        await page.getByRole('alertdialog').waitFor();
        await check(page, 'question');
        await to('/types');
        await page.getByRole('button', { name: 'Pause transcode' }).waitFor();
        await check(page, 'types');
        await page.getByRole('button', { name: /Set the limit of transcode/ }).click();
        await page.getByRole('dialog').waitFor();
        await check(page, 'limit');
        await to('/schedules');
        await act('Nightly digest').waitFor();
        await check(page, 'schedules');
        await act('Nightly digest').click();
        await page.getByRole('region', { name: 'Next times' }).getByRole('listitem').first().waitFor();
        await check(page, 'a schedule');
        for (const [name, id] of Object.entries(scene)) {
          await to(`/${id}`);
          await page.getByRole('region', { name: 'Data' }).first().waitFor();
          await check(page, `a job: ${name}`);
        }
        await to('/0123456789abcdef01234567');
        await page.getByText('This job is not there').waitFor();
        await check(page, 'no such job');
      },
      { scheme, phone, stranger: true },
    );
  }
}
