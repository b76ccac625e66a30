// u: one large file and many small ones, through the page, by requests of the same browser without a page, and by curl.
import { spawn } from 'node:child_process';
import { randomFillSync } from 'node:crypto';
import { closeSync, existsSync, mkdirSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { address } from '../support/browser.mjs';
import { makeFolder } from '../support/product.mjs';
import { choose } from '../support/steps.mjs';
import { PATIENCE_MS, settled, withPage } from './fresh.mjs';

const MIB = 1024 * 1024;
const SMALL_BYTES = 10 * 1024;
/** As many transfers at once as the page has. */
const AT_ONCE = 3;

export async function uploads({ browser, session, plan, round, report }) {
  const { large, small } = files(plan);
  const seconds = {
    page: (paths, folder) => withPage(browser, session, (page) => byPage(page, paths, folder)),
    browser: (paths, folder) => withPage(browser, session, (page) => byBrowser(page, paths, folder)),
    curl: (paths, folder) => byCurl(plan, paths, folder),
  };
  for (const [who, beside] of [
    ['page', undefined],
    ['browser', 'the browser alone'],
    ['curl', 'curl'],
  ]) {
    const fresh = (what) => makeFolder(plan, 'root', `uploads of ${what} by ${who}, ${round}`);
    const one = await seconds[who]([large], (await fresh('one')).id);
    report.add(`u upload of ${plan.largeMib} MiB`, 'GiB/s', plan.largeMib / 1024 / one, beside);
    const many = await seconds[who](small, (await fresh('many')).id);
    const workload = `u upload of ${small.length.toLocaleString('en')} files of 10 KiB`;
    report.add(workload, 'files/s', small.length / many, beside);
  }
  report.note(
    `u: from the choice of the files until the tray says that they are uploaded. The browser alone: one PUT for each file by XMLHttpRequest in an empty document. Curl until it ends. ${AT_ONCE} transfers at once, as the page has. Each answer is durable.`,
  );
}

/** What is uploaded, made once. */
function files({ scratch, largeMib, smallFiles }) {
  const large = join(scratch, 'large.bin');
  const small = Array.from({ length: smallFiles }, (_, n) => join(scratch, 'small', `${n}.bin`));
  if (!existsSync(scratch)) {
    mkdirSync(join(scratch, 'small'), { recursive: true });
    const block = randomFillSync(Buffer.alloc(MIB));
    const file = openSync(large, 'w');
    for (let n = 0; n < largeMib; n++) writeSync(file, block);
    closeSync(file);
    for (const path of small) writeFileSync(path, block.subarray(0, SMALL_BYTES));
  }
  return { large, small };
}

async function byPage(page, paths, folder) {
  await page.goto(`${address}/app/files/${folder}`);
  await settled(page);
  const [chooser] = await Promise.all([
    page.waitForEvent('filechooser'),
    (async () => {
      await page.getByRole('button', { name: 'New', exact: true }).filter({ visible: true }).click();
      await choose(page, /Upload files/);
    })(),
  ]);
  const began = performance.now();
  await chooser.setFiles(paths);
  const count = paths.length.toLocaleString('en');
  await page
    .getByRole('region', { name: 'Uploads' })
    .getByText(`Uploaded ${count} ${paths.length === 1 ? 'file' : 'files'}`)
    .first()
    .waitFor({ timeout: PATIENCE_MS });
  return (performance.now() - began) / 1000;
}

/** What the browser itself can do, without anything being shown. */
async function byBrowser(page, paths, folder) {
  await page.goto(`${address}/robots.txt`);
  await page.evaluate(() => {
    document.body.innerHTML = '<input type="file" multiple>';
  });
  const began = performance.now();
  await page.locator('input').setInputFiles(paths);
  await page.evaluate(
    async ({ place, atOnce }) => {
      const left = [...document.querySelector('input').files];
      const put = (file) =>
        new Promise((resolve, reject) => {
          const request = new XMLHttpRequest();
          request.open('PUT', `${place}/${encodeURIComponent(file.name)}/content`);
          request.onload = () => (request.status === 201 ? resolve() : reject(new Error(`${request.status}`)));
          request.onerror = () => reject(new Error('the line was lost'));
          request.send(file);
        });
      const line = async () => {
        for (let file = left.shift(); file; file = left.shift()) await put(file);
      };
      await Promise.all(Array.from({ length: atOnce }, line));
    },
    { place: `/api/v1/files/${folder}/children`, atOnce: AT_ONCE },
  );
  return (performance.now() - began) / 1000;
}

async function byCurl({ token, scratch }, paths, folder) {
  const config = join(scratch, 'curl.conf');
  const place = `${address}/api/v1/files/${folder}/children`;
  const each = paths.map((path, n) => `upload-file = "${path}"\nurl = "${place}/${n}.bin/content"`);
  const head = [
    'silent',
    'no-progress-meter',
    'show-error',
    'fail',
    'parallel',
    `parallel-max = ${AT_ONCE}`,
    `header = "X-Token: ${token}"`,
  ];
  writeFileSync(config, [...head, ...each].join('\n'));
  const began = performance.now();
  const curl = spawn('curl', ['--config', config], { stdio: ['ignore', 'ignore', 'inherit'] });
  const status = await new Promise((resolve, reject) => curl.on('exit', resolve).on('error', reject));
  if (status !== 0) throw new Error(`curl: ${status}`);
  return (performance.now() - began) / 1000;
}
