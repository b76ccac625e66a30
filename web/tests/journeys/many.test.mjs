// Two thousand files in nested folders, dropped at once as somebody would move in.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { journey } from '../support/journey.mjs';
import { children, ok, until } from '../support/product.mjs';
import { entry, isAskedBeforeLeaving, signIn } from '../support/steps.mjs';

const FOLDERS = 100;
const EACH = 20;
const tray = (page) => page.getByRole('region', { name: 'Uploads' });

journey('2,000 files in nested folders are dropped and arrive, in one calm tray', async ({ page, account }) => {
  const disk = mkdtempSync(join(tmpdir(), 'fm-e2e-'));
  for (let f = 0; f < FOLDERS; f++) {
    const folder = join(disk, 'moving in', `part ${f % 10}`, `box ${f}`);
    mkdirSync(folder, { recursive: true });
    for (let n = 0; n < EACH; n++) writeFileSync(join(folder, `file ${n}.txt`), `${f} ${n}`);
  }
  try {
    await signIn(page, account);
    await page.getByText('This is the place for your files').waitFor();
    // A drop as the system hands it over: a folder, with all that is in it.
    const browser = await page.context().newCDPSession(page);
    // Over a line that is far away, until all that is looked at meanwhile was seen: two thousand files are not long on their way otherwise.
    const far = (latency) =>
      browser.send('Network.emulateNetworkConditions', {
        offline: false,
        latency,
        downloadThroughput: -1,
        uploadThroughput: -1,
      });
    await browser.send('Network.enable');
    await far(300);
    const data = { items: [], files: [join(disk, 'moving in')], dragOperationsMask: 1 };
    for (const type of ['dragEnter', 'dragOver', 'drop'])
      await browser.send('Input.dispatchDragEvent', { type, x: 640, y: 500, data });
    await tray(page)
      .getByText(/Uploading: .* of 2,000 files/)
      .first()
      .waitFor();
    assert.ok((await tray(page).getByRole('listitem').count()) < 60, 'only the rows near what is seen are drawn');
    await page.waitForFunction(() => /^\d+%.* – /.test(document.title));
    await tray(page).getByText(/ left/).first().waitFor();

    // The page can be used meanwhile, and asks before it is left.
    await entry(page, 'moving in').dblclick();
    await entry(page, 'part 3').waitFor();
    await isAskedBeforeLeaving(page);
    await far(0);

    await until(
      'the tray says that all have come',
      () => tray(page).getByText('Uploaded 2,000 files').first().isVisible(),
      280_000,
    );
    assert.equal((await ok('GET', '/usage', { token: account.token })).fileCount, 2000 + 1 + 10 + FOLDERS);
    const [top] = await children(account, 'root');
    assert.equal((await children(account, top.id)).length, 10);
  } finally {
    rmSync(disk, { recursive: true, force: true });
  }
});
