import assert from 'node:assert/strict';
import { address } from '../support/browser.mjs';
import { journey } from '../support/journey.mjs';
import { makeFolder, upload } from '../support/product.mjs';
import { text } from '../support/samples.mjs';
import { makeLink } from '../support/sharing.mjs';
import { choose, entry, grid, signIn } from '../support/steps.mjs';

journey(
  'on a phone a tap opens, a long press selects, and the bar is at the bottom',
  async ({ page, account }) => {
    await makeFolder(account, 'root', 'Folder');
    for (const name of ['a.txt', 'b.txt']) await upload(account, 'root', name, text(name));
    await signIn(page, account);
    await entry(page, 'a.txt').waitFor();
    const bar = await page.getByRole('navigation', { name: 'Places' }).filter({ visible: true }).boundingBox();
    assert.ok(bar && bar.y > 700, 'the places are at the bottom');

    const box = await entry(page, 'a.txt').boundingBox();
    const touch = await page.context().newCDPSession(page);
    await touch.send('Input.dispatchTouchEvent', {
      type: 'touchStart',
      touchPoints: [{ x: box.x + 40, y: box.y + 40 }],
    });
    await page.getByText('1 selected').waitFor();
    await touch.send('Input.dispatchTouchEvent', { type: 'touchEnd', touchPoints: [] });
    await entry(page, 'b.txt').tap();
    await page.getByText('2 selected').waitFor();
    await page.getByRole('button', { name: 'Clear the selection' }).tap();

    await entry(page, 'Folder').tap();
    await page.getByText('This folder is empty').waitFor();
    await page.getByRole('button', { name: 'New', exact: true }).filter({ visible: true }).tap();
    await choose(page, 'New folder');
    await page.getByRole('dialog').getByRole('textbox').fill('Sub');
    await page.getByRole('button', { name: 'Create', exact: true }).tap();
    await entry(page, 'Sub').waitFor();
    await entry(page, 'Sub').getByRole('button', { name: 'Actions for Sub' }).tap();
    await choose(page, 'Details');
    // Details are a sheet at the bottom, as wide as the screen.
    await page.waitForFunction(() => {
      const sheet = document.querySelector('aside')?.getBoundingClientRect();
      return sheet && sheet.left === 0 && Math.round(sheet.bottom) === innerHeight && sheet.width === innerWidth;
    });
    assert.equal(
      await page.evaluate(() => document.documentElement.scrollWidth > innerWidth),
      false,
      'nothing is wider than the screen',
    );
    assert.ok(await grid(page).isVisible());
  },
  { phone: true },
);

journey(
  'the page can be put on the first screen of a device; a link that is put there stays that link',
  async ({ page, account }) => {
    const link = await makeLink(account, (await makeFolder(account, 'root', 'Album')).id);
    await signIn(page, account);
    const protocol = await page.context().newCDPSession(page);
    // As the browser itself reads it.
    const { url, errors, data } = await protocol.send('Page.getAppManifest');
    assert.deepEqual(errors, []);
    const { start_url, scope, display, icons } = JSON.parse(data);
    assert.equal(new URL(start_url, url).href, `${address}/app/files`);
    assert.equal(new URL(scope, url).href, `${address}/`);
    assert.equal(display, 'standalone');
    const sizes = await page.evaluate(
      async (addresses) => {
        const read = async (one) => (await createImageBitmap(await (await fetch(one)).blob())).width;
        return Promise.all(addresses.map(read));
      },
      icons.map(({ src }) => new URL(src, url).href),
    );
    assert.deepEqual(sizes, [192, 512, 512]);
    const head = (rel) => page.locator(`link[rel="${rel}"]`);
    assert.match(await head('apple-touch-icon').getAttribute('href'), /\.png$/);

    await page.goto(`${address}/app/s/${link.token}`);
    await page.getByRole('heading', { name: 'Album' }).waitFor();
    await head('manifest').waitFor({ state: 'detached' });
  },
  { phone: true },
);
