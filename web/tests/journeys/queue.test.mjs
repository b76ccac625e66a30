// The administrators' dashboard of jobs. Each journey works types of jobs of its own.
import assert from 'node:assert/strict';
import { address } from '../support/browser.mjs';
import { journey } from '../support/journey.mjs';
import { ok, until } from '../support/product.mjs';
import { administrator, claim, jobOf, makeDead, makeJob, report } from '../support/queue.mjs';
import { choose, place, signIn, toast } from '../support/steps.mjs';

let counter = 0;
const newType = (name) => `${name}-${process.pid}-${Date.now().toString(36)}-${++counter}`;

/** A journey of the administrator. */
const administer = (name, run, options = {}) =>
  journey(name, async ({ page, newPage }) => run({ page, newPage, admin: await administrator() }), {
    ...options,
    stranger: true,
  });

const jobs = (page, name = 'Jobs') => page.getByRole('table', { name });
const rowsOf = (page, type, table = 'Jobs') => jobs(page, table).getByRole('row').filter({ hasText: type });
const shown = (locator) => locator.filter({ visible: true });
const tile = (page, state) =>
  page.getByRole('region', { name: 'Jobs by state' }).getByRole('link', { name: new RegExp(state) });
const countIn = async (page, state) => Number((await tile(page, state).textContent()).match(/\d+/)?.[0] ?? Number.NaN);
const live = (page) => page.getByText('Live', { exact: true }).waitFor({ timeout: 45_000 });
const act = (page, name) => shown(page.getByRole('button', { name, exact: true }));

administer('a dead job is found, understood and tried again', async ({ page, admin }) => {
  const type = newType('export');
  const id = await makeDead(admin, type, 'DiskFull: no room for page 7\n    at write (pages.js:41:7)', {
    data: { book: 'Atlas' },
    attempts: 2,
  });
  await signIn(page, admin, '/app/queue');
  await page.getByRole('region', { name: 'Latest failures' }).getByRole('link', { name: type }).click();
  await page.getByRole('heading', { name: type }).waitFor();
  await page.getByText('at write (pages.js:41:7)').first().waitFor();
  await page.getByText('Attempt 2', { exact: true }).waitFor();
  await page.getByRole('region', { name: 'Data' }).last().getByText('"book": "Atlas"').waitFor();
  // Its address is enough to come back to it.
  await page.reload();
  await page.getByRole('heading', { name: type }).waitFor();
  assert.ok(page.url().endsWith(id));

  await page.getByRole('link', { name: /^Dead letters/ }).click();
  const row = rowsOf(page, type, 'Dead letters');
  await row.getByRole('button', { name: 'Retry' }).click();
  await toast(page, `“${type}” is tried again`).waitFor();
  await row.waitFor({ state: 'detached' });
  assert.equal((await jobOf(admin, id)).state, 'inactive');
  const [claimed] = await claim(admin, type);
  await report(claimed, admin, 'complete', { result: 'written' });
  await page.goto(`${address}/app/queue/${id}`);
  await page.getByRole('region', { name: 'Result' }).last().getByText('written').waitFor();
});

administer('dead letters of one type are tried again all at once', async ({ page, admin }) => {
  const [type, other] = [newType('bulk'), newType('bulk-other')];
  for (let n = 0; n < 4; n++) await makeDead(admin, type, 'gave up', { uniqueKey: `${type}/${n}` });
  const kept = await makeDead(admin, other, 'gave up');
  // A live job with the key of one of them stands in its way.
  await makeJob(admin, { type: other, uniqueKey: `${type}/0` });
  await signIn(page, admin, '/app/queue/dead');
  const types = page.getByRole('region', { name: 'Failed jobs by type' });
  await types.getByRole('button', { name: `${type} 4` }).click();
  await types.getByRole('button', { name: `Retry all 4 of “${type}”` }).click();
  const question = page.getByRole('alertdialog', { name: 'Try 4 failed jobs again?' });
  await question.getByRole('button', { name: 'Retry' }).click();
  await toast(page, /3 are tried again; 1 stays/).waitFor();
  await rowsOf(page, type, 'Dead letters').nth(1).waitFor({ state: 'detached' });
  assert.equal((await jobOf(admin, kept)).state, 'failed');
});

administer('types and the whole queue are paused and go on', async ({ page, admin }) => {
  const type = newType('pausing');
  await makeJob(admin, { type });
  await signIn(page, admin, '/app/queue/types');
  await page.getByRole('button', { name: `Pause ${type}` }).click();
  const row = page.getByRole('row').filter({ hasText: type });
  await row.getByText('Paused', { exact: true }).waitFor();
  await toast(page, `“${type}” is paused`).waitFor();
  assert.deepEqual(await claim(admin, type), []);
  await page.getByRole('button', { name: `Resume ${type}` }).click();
  await toast(page, `“${type}” goes on`).waitFor();

  await act(page, 'Pause all').click();
  await page.getByText('All jobs wait.').waitFor();
  await toast(page, 'All jobs wait now').waitFor();
  assert.deepEqual(await claim(admin, type), []);
  await page.reload();
  await page.getByText('All jobs wait.').waitFor();
  await page.getByRole('button', { name: 'Resume all' }).click();
  await toast(page, 'Jobs go on').waitFor();
  await page.getByText('All jobs wait.').waitFor({ state: 'detached' });
  assert.equal((await claim(admin, type)).length, 1);
});

administer('a type gets a limit, and loses it again', async ({ page, admin }) => {
  const type = newType('limited');
  await makeJob(admin, { type });
  await signIn(page, admin, '/app/queue/types');
  const button = page.getByRole('button', { name: new RegExp(`Set the limit of ${type}`) });
  await button.click();
  const dialog = page.getByRole('dialog', { name: `Limit of “${type}”` });
  await dialog.getByLabel('Jobs').fill('none');
  await dialog.getByLabel('Within').fill('a while');
  await dialog.getByRole('button', { name: 'Set limit' }).click();
  await dialog.getByText('Please enter a whole number from 1.').waitFor();
  await dialog.getByLabel('Jobs').fill('3');
  await dialog.getByLabel('Within').fill('2 min');
  await dialog.getByRole('button', { name: 'Set limit' }).click();
  await dialog.waitFor({ state: 'detached' });
  await button.getByText('3 in 2 min').waitFor();
  await button.click();
  await dialog.getByRole('button', { name: 'Remove limit' }).click();
  await dialog.waitFor({ state: 'detached' });
  await button.getByText('none').waitFor();
});

administer('jobs are filtered and searched, and the address keeps how', async ({ page, admin }) => {
  const [type, other] = [newType('filter'), newType('filter-other')];
  const word = `needle${counter}${process.pid}`;
  await makeJob(admin, { type, data: { note: `a ${word} in the hay` } });
  await makeJob(admin, { type, data: { note: 'only hay' }, delayMs: 3_600_000 });
  await makeJob(admin, { type: other, data: { note: `another ${word}` } });
  await signIn(page, admin, '/app/queue/list');
  await page.getByRole('combobox', { name: 'Type' }).selectOption(type);
  await rowsOf(page, other).first().waitFor({ state: 'detached' });
  await page.getByRole('region', { name: 'Job queue' }).getByText('2 jobs', { exact: true }).waitFor();
  assert.equal(await rowsOf(page, type).count(), 2);
  await page.getByRole('button', { name: /^Delayed/ }).click();
  await page.getByRole('region', { name: 'Job queue' }).getByText('1 job', { exact: true }).waitFor();
  await rowsOf(page, 'only hay').waitFor();
  await page.getByRole('button', { name: 'Clear the filter' }).click();
  await page.getByRole('button', { name: 'All', exact: true }).click();

  // What came is entered into the index by and by.
  const found = () => ok('GET', `/jobs?q=${word}`, { token: admin.token });
  await until('the jobs can be searched for', async () => (await found()).items.length === 2);
  await page.getByRole('searchbox').fill(word);
  await rowsOf(page, other).waitFor();
  await rowsOf(page, 'only hay').waitFor({ state: 'detached' });
  await page.getByRole('combobox', { name: 'Arrived' }).selectOption('In the last hour');
  await page.getByRole('combobox', { name: 'Order' }).selectOption('Oldest first');
  await page.waitForFunction(() => location.search.includes('order=asc'));
  await page.reload();
  await rowsOf(page, word).nth(1).waitFor();
  assert.equal(await page.getByRole('searchbox').inputValue(), word);
  assert.equal(await page.getByRole('combobox', { name: 'Arrived' }).inputValue(), '1h');
  assert.ok((await rowsOf(page, word).first().textContent()).includes(type), 'the oldest one is first');

  await rowsOf(page, word).first().getByRole('link').click();
  await page.getByRole('heading', { name: type }).waitFor();
  await page.goBack();
  await rowsOf(page, word).nth(1).waitFor();
  await page.getByRole('searchbox').fill(`no such ${word}`);
  await page.getByRole('heading', { name: 'No such jobs' }).waitFor();
});

administer('counts, rows and progress follow what happens', async ({ page, newPage, admin }) => {
  const type = newType('live');
  await signIn(page, admin, '/app/queue');
  await live(page);
  await until('the count of failed jobs is there', async () => (await countIn(page, 'Failed')) >= 0);
  const before = await countIn(page, 'Failed');
  await makeDead(admin, type, 'gave up');
  await until('the tile counts one more', async () => (await countIn(page, 'Failed')) === before + 1);

  const list = await newPage();
  await signIn(list, admin, `/app/queue/list?type=${type}`);
  await live(list);
  await rowsOf(list, 'gave up').waitFor();
  const id = await makeJob(admin, { type, data: { film: 'short' } });
  await rowsOf(list, 'film: short').getByText('Waiting').waitFor();
  const [claimed] = await claim(admin, type);
  await rowsOf(list, 'film: short').getByText('Running').waitFor();
  await report(claimed, admin, 'progress', { progress: 40, data: 'Frame 40 of 100' });
  await rowsOf(list, 'film: short').getByText('40%').waitFor();
  await rowsOf(list, 'film: short').getByRole('link').click();
  await list.getByText('Frame 40 of 100').waitFor();
  await report(claimed, admin, 'log', { line: 'cut the intro' });
  await report(claimed, admin, 'progress', { progress: 80, data: 'Frame 80 of 100' });
  await list.getByText('Frame 80 of 100').waitFor();
  await list.getByRole('region', { name: 'Log' }).getByText('cut the intro').waitFor();
  await report(claimed, admin, 'complete', { result: { seconds: 12 } });
  await list.getByRole('status').getByText('Done', { exact: true }).waitFor();
  await list.getByText('"seconds": 12').waitFor();
  assert.equal((await jobOf(admin, id)).state, 'complete');
});

administer('two tabs share one stream, and the second one takes it over', async ({ page, admin }) => {
  const type = newType('tabs');
  const streams = [];
  page.context().on('request', (request) => {
    if (new URL(request.url()).pathname.endsWith('/api/v1/jobs/events')) streams.push(request);
  });
  await signIn(page, admin, `/app/queue/list?type=${type}`);
  await live(page);
  const second = await page.context().newPage();
  await second.goto(`${address}/app/queue/list?type=${type}`);
  await live(second);
  assert.equal(streams.length, 1);
  await makeJob(admin, { type, data: { n: 'first' } });
  await rowsOf(page, 'n: first').waitFor();
  await rowsOf(second, 'n: first').waitFor();
  await page.goto('about:blank');
  await until('the other tab has the stream', () => streams.length >= 2);
  await makeJob(admin, { type, data: { n: 'second' } });
  await rowsOf(second, 'n: second').waitFor();
  await live(second);
});

administer('a schedule is made, with a wrong expression at first', async ({ page, admin }) => {
  const type = newType('scheduled');
  const name = `Nightly ${type}`;
  await signIn(page, admin, '/app/queue/schedules');
  await act(page, 'New schedule').first().click();
  const dialog = page.getByRole('dialog', { name: 'New schedule' });
  await dialog.getByRole('button', { name: 'Create schedule' }).click();
  await dialog.getByText('Please give it a name.').waitFor();
  await dialog.getByLabel('Name').fill(name);
  await dialog.getByLabel('Type').fill(type);
  const cron = dialog.getByLabel('Cron expression');
  await cron.fill('30 25 * * *');
  await page.waitForFunction(
    () => document.querySelector('dialog [placeholder="30 3 * * MON-FRI"]')?.getAttribute('aria-invalid') === 'true',
  );
  await dialog.getByRole('button', { name: 'Create schedule' }).click();
  await page.waitForFunction(() => document.activeElement?.getAttribute('placeholder') === '30 3 * * MON-FRI');
  assert.equal(await dialog.getByLabel('Name').inputValue(), name, 'what was typed is kept');
  await cron.fill('30 3 * * *');
  const preview = dialog.getByRole('region', { name: 'Next times' });
  await preview.getByRole('listitem').nth(4).waitFor();
  assert.equal(await cron.getAttribute('aria-invalid'), null);
  await dialog.getByLabel('Time zone').fill('Nowhere/At all');
  await dialog
    .getByText(/time zone/i)
    .nth(1)
    .waitFor();
  await dialog.getByLabel('Time zone').fill('Asia/Kolkata');
  await preview.getByRole('listitem').nth(4).waitFor();
  await dialog.getByRole('button', { name: 'Create schedule' }).click();
  await toast(page, `“${name}” is scheduled`).waitFor();

  const row = page.getByRole('region', { name: 'Schedules' }).getByRole('listitem').filter({ hasText: name });
  await row.getByText('Asia/Kolkata').waitFor();
  await page.getByRole('button', { name: `Run ${name} now` }).click();
  await toast(page, `“${name}” made a job`).waitFor();
  assert.equal((await claim(admin, type)).length, 1);
  await page.getByRole('button', { name: `Pause ${name}` }).click();
  await row.getByText('Paused', { exact: true }).waitFor();
  await page.getByRole('button', { name: `Resume ${name}` }).click();
  await row.getByText('Paused', { exact: true }).waitFor({ state: 'detached' });

  await row.getByRole('button', { name, exact: true }).click();
  const edit = page.getByRole('dialog', { name: `Edit “${name}”` });
  await edit.getByLabel('Cron expression').fill('0 12 * * MON');
  await edit.getByRole('region', { name: 'Next times' }).getByText('Monday').waitFor();
  await edit.getByRole('button', { name: 'Save', exact: true }).click();
  await toast(page, `“${name}” is saved`).waitFor();
  await row.getByText('0 12 * * MON').waitFor();

  await row.getByRole('button', { name: `Actions for ${name}` }).click();
  await choose(page, 'Delete');
  const question = page.getByRole('alertdialog', { name: `Delete the schedule “${name}”?` });
  await question.getByRole('button', { name: 'Delete' }).click();
  await row.waitFor({ state: 'detached' });
});

administer('a job is made by hand, put forward, cancelled and deleted', async ({ page, admin }) => {
  const type = newType('by-hand');
  await makeJob(admin, { type: `${type}-holder`, uniqueKey: type });
  await signIn(page, admin, '/app/queue/list');
  await act(page, 'New job').first().click();
  const dialog = page.getByRole('dialog', { name: 'New job' });
  await dialog.getByLabel('Data (JSON)').fill('{ "a": 1, }');
  await dialog.getByLabel('Delay').fill('soon');
  await dialog.getByRole('button', { name: 'Create job' }).click();
  await dialog.getByText('Please say what type of job it is.').waitFor();
  await dialog.getByText('This is not JSON').waitFor();
  await dialog.getByText('Please write a time such as').waitFor();
  await dialog.getByLabel('Type').fill(type);
  await dialog.getByLabel('Data (JSON)').fill('{ "a": 1 }');
  await dialog.getByLabel('Delay').fill('2 h');
  await dialog.getByLabel('Attempts').fill('3');
  await dialog.getByLabel('Unique key').fill(type);
  await dialog.getByRole('button', { name: 'Create job' }).click();
  await dialog.getByText('Another job that is not finished has this key.').waitFor();
  await dialog.getByLabel('Unique key').fill(`${type}/mine`);
  await dialog.getByRole('button', { name: 'Create job' }).click();
  await toast(page, `Created “${type}”`).waitFor();
  await page.getByRole('button', { name: 'Show it', exact: true }).click();
  await page.getByRole('heading', { name: type }).waitFor();
  const id = page.url().split('/').at(-1);
  const facts = page.getByRole('complementary', { name: 'Facts' });

  await act(page, 'Priority').click();
  await page.getByRole('menuitemradio', { name: /^High/ }).click();
  await facts.getByText('High (-10)').waitFor();
  await act(page, 'Priority').click();
  await choose(page, 'Another number…');
  const number = page.getByRole('dialog', { name: `Priority of “${type}”` });
  await number.getByLabel('Number').fill('-7');
  await page.keyboard.press('Enter');
  await facts.getByText('-7', { exact: true }).waitFor();
  await until('it is put forward', async () => (await jobOf(admin, id)).priority === -7);

  await act(page, 'Run now').click();
  await page.getByRole('status').getByText('Waiting', { exact: true }).waitFor();
  await act(page, 'Cancel job').click();
  await page.getByRole('status').getByText('Cancelled', { exact: true }).waitFor();
  await until('it is cancelled', async () => (await jobOf(admin, id)).state === 'cancelled');
  await toast(page, `“${type}” is cancelled`).waitFor();
  await page.keyboard.press('Control+z');
  await page.getByRole('status').getByText('Waiting', { exact: true }).waitFor();

  // One that runs is asked about, and cancelled before it is deleted.
  const [claimed] = await claim(admin, type);
  await page.getByRole('status').getByText('Running', { exact: true }).waitFor();
  await act(page, 'Delete').click();
  const question = page.getByRole('alertdialog', { name: 'Delete a job that is running?' });
  await question.getByRole('button', { name: 'Cancel and delete' }).click();
  await toast(page, `“${type}” is deleted`).waitFor();
  await page.waitForFunction(() => location.pathname.endsWith('/queue/list'));
  await assert.rejects(report(claimed, admin, 'complete', {}), /lease_lost|not_found/);
  await page.goto(`${address}/app/queue/${id}`);
  await page.getByRole('heading', { name: 'This job is not there' }).waitFor();
});

administer('what cannot be done any more is explained', async ({ page, admin }) => {
  const type = newType('late');
  const id = await makeDead(admin, type, 'gave up', { uniqueKey: type });
  await makeJob(admin, { type: `${type}-holder`, uniqueKey: type });
  await signIn(page, admin, `/app/queue/${id}`);
  await act(page, 'Retry').click();
  await toast(page, /has the same unique key/).waitFor();
  await page.getByRole('status').getByText('Failed', { exact: true }).waitFor();
  await page.getByRole('button', { name: 'Show it', exact: true }).click();
  await page.getByRole('heading', { name: `${type}-holder` }).waitFor();

  // Shown as it was: somebody else was quicker.
  const other = await makeDead(admin, `${type}-other`, 'gave up');
  await page.goto(`${address}/app/queue/${other}`);
  await act(page, 'Retry').waitFor();
  const quicker = async (route) => {
    await ok('POST', `/jobs/${other}/retry`, { token: admin.token });
    await route.continue();
  };
  await page.route('**/retry', quicker, { times: 1 });
  await act(page, 'Retry').click();
  await toast(page, /in another state by now \(Waiting\)/).waitFor();
  await page.getByRole('status').getByText('Waiting', { exact: true }).waitFor();
});

administer('all of it works by the keyboard alone', async ({ page, admin }) => {
  const type = newType('keys');
  const ids = [];
  for (const n of [1, 2, 3]) ids.push(await makeDead(admin, type, `error ${n}`));
  await signIn(page, admin, `/app/queue/dead?type=${type}`);
  const rows = rowsOf(page, type, 'Dead letters');
  await rows.nth(2).waitFor();
  const focusedRow = () =>
    page.evaluate(() => document.activeElement?.closest('[data-job]')?.getAttribute('data-job') ?? null);
  const at = (id) =>
    page.waitForFunction((id) => document.activeElement?.closest('[data-job]')?.dataset.job === id, id);

  // From the search field a few tabs lead into the list.
  await page.getByRole('searchbox').focus();
  for (let tabs = 0; tabs < 8 && (await focusedRow()) === null; tabs++) await page.keyboard.press('Tab');
  assert.equal(await focusedRow(), ids[2], 'the newest one is first');
  await page.keyboard.press('ArrowDown');
  await at(ids[1]);
  await page.keyboard.press('End');
  await at(ids[0]);
  await page.keyboard.press('Home');
  await at(ids[2]);
  await page.keyboard.press('r');
  await toast(page, `“${type}” is tried again`).waitFor();
  await rows.nth(2).waitFor({ state: 'detached' });
  // The row that took its place has the focus.
  await at(ids[1]);
  await page.keyboard.press('Delete');
  await page.getByRole('alertdialog', { name: 'Delete this job?' }).waitFor();
  await page.keyboard.press('Escape');
  await at(ids[1]);
  await page.keyboard.press('Enter');
  await page.getByText('error 2').first().waitFor();
  await page.goBack();
  await at(ids[1]);
  await page.keyboard.press('Shift+F10');
  await page.getByRole('menu').waitFor();
  await page.keyboard.press('Escape');
  await page.getByRole('menu').waitFor({ state: 'detached' });
});

journey('who is no administrator is sent to their own jobs', async ({ page, account }) => {
  await signIn(page, account, '/app/queue');
  await page.getByRole('heading', { name: 'This is for administrators' }).waitFor();
  assert.equal(await place(page, 'Job queue').count(), 0);
  await page.getByRole('button', { name: 'Go to Activity' }).click();
  await page.getByRole('heading', { name: 'Activity' }).waitFor();
});

administer('a server that is away is told, and what was shown comes back by itself', async ({ page, admin }) => {
  await page.route('**/api/v1/jobs?*', (route) => route.fulfill({ status: 502, body: 'Bad gateway' }));
  await signIn(page, admin, '/app/queue/list');
  await page.getByRole('heading', { name: 'The jobs could not be read' }).waitFor();
  await page.unroute('**/api/v1/jobs?*');
  await page.getByRole('button', { name: /^Try again/ }).click();
  await jobs(page).waitFor();
});

for (const [name, options] of [
  ['on a phone', { phone: true }],
  ['from right to left', { viewport: { width: 1024, height: 768 } }],
]) {
  administer(
    `no part is wider than the screen ${name}`,
    async ({ page, admin }) => {
      const type = newType('a-type-with-quite-a-long-name-that-has-to-be-broken-somewhere');
      const id = await makeDead(admin, type, `Error: ${'x'.repeat(300)}`, { data: { path: '/a/'.repeat(120) } });
      await signIn(page, admin, '/app/queue');
      for (const path of ['', '/list', '/dead', '/types', '/schedules', `/${id}`]) {
        await page.goto(`${address}/app/queue${path}`);
        await page.getByRole('navigation', { name: 'Parts of the job queue' }).waitFor();
        if (!options.phone) await page.evaluate(() => document.documentElement.setAttribute('dir', 'rtl'));
        await page.waitForFunction(() => !document.querySelector('.skeleton, .coming'));
        const wide = await page.evaluate(() => {
          const over = [document.documentElement, document.querySelector('main')].filter(
            (one) => one.scrollWidth > one.clientWidth,
          );
          return over.map((one) => `${one.tagName} ${one.scrollWidth} > ${one.clientWidth}`);
        });
        assert.deepEqual(wide, [], path);
      }
    },
    options,
  );
}
