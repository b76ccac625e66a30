import assert from 'node:assert/strict';
import { watchFirst } from '../bench/fresh.mjs';
import { address } from '../support/browser.mjs';
import { journey } from '../support/journey.mjs';
import { children, makeFolder, thumbnailsReady, until, upload } from '../support/product.mjs';
import { picture, text } from '../support/samples.mjs';
import { choose, dropFiles, entry, grid, holdChanges, place, signIn, toast } from '../support/steps.mjs';

const names = (page) =>
  grid(page)
    .locator('.entry .name')
    .evaluateAll((all) => all.map((one) => one.title));

journey('folders come first, names in natural order, and the order can be changed', async ({ page, account }) => {
  for (const name of ['img10.txt', 'img2.txt', 'Img1.txt'])
    await upload(account, 'root', name, text(name.repeat(name.length)));
  await makeFolder(account, 'root', 'zebra');
  await signIn(page, account);
  await entry(page, 'zebra').waitFor();
  assert.deepEqual(await names(page), ['zebra', 'Img1.txt', 'img2.txt', 'img10.txt']);

  await page.getByRole('button', { name: 'List', exact: true }).click();
  await page.getByRole('columnheader', { name: 'Name' }).getByRole('button').click();
  await page.locator('[aria-sort="descending"]').waitFor();
  await page.waitForFunction(() => document.querySelectorAll('.entry .name')[1]?.title === 'img10.txt');
  assert.deepEqual(await names(page), ['zebra', 'img10.txt', 'img2.txt', 'Img1.txt']);

  // Remembered for this folder, also after coming back.
  await page.reload();
  await page.locator('[aria-sort="descending"]').waitFor();
  await page.waitForFunction(() => document.querySelectorAll('.entry .name')[1]?.title === 'img10.txt');
});

journey(
  'one goes down and up by double click, breadcrumb, and the browser’s own buttons',
  async ({ page, account }) => {
    const a = await makeFolder(account, 'root', 'a & b');
    const b = await makeFolder(account, a.id, '100 % c#d?');
    await makeFolder(account, b.id, 'inside');
    await signIn(page, account);
    await entry(page, 'a & b').dblclick();
    await entry(page, '100 % c#d?').dblclick();
    await page.getByRole('heading', { name: '100 % c#d?' }).waitFor();
    await entry(page, 'inside').waitFor();
    assert.ok(page.url().endsWith(`/app/files/${b.id}`));
    await page.reload();
    await entry(page, 'inside').waitFor();
    await page.getByRole('navigation', { name: 'Where you are' }).getByRole('link', { name: 'a & b' }).click();
    await entry(page, '100 % c#d?').waitFor();
    await page.goBack();
    await entry(page, 'inside').waitFor();
    await page.goBack();
    await entry(page, '100 % c#d?').waitFor();
  },
);

journey('a picture shows its thumbnail as soon as it is made', async ({ page, account }) => {
  await signIn(page, account);
  await page.getByText('This is the place for your files').waitFor();
  const file = await upload(account, 'root', 'sun.png', picture(400, 300, 40));
  await page.reload();
  await entry(page, 'sun.png').waitFor();
  await thumbnailsReady(account, file.id);
  await page.waitForFunction(() => {
    const image = document.querySelector('.entry img');
    return image?.complete && image.naturalWidth > 0;
  });
});

journey('a thumbnail that cannot be made says why', async ({ page, account }) => {
  await upload(account, 'root', 'broken.png', picture(40, 30).subarray(0, 60));
  await signIn(page, account);
  await entry(page, 'broken.png').getByText('No preview').waitFor({ timeout: 60_000 });
  await entry(page, 'broken.png').click({ button: 'right' });
  await choose(page, 'Details');
  const details = page.getByRole('complementary', { name: 'Details' });
  await details.getByText('Preview', { exact: true }).waitFor();
});

journey('a folder is made, renamed in place, and the name that is taken is refused', async ({ page, account }) => {
  await makeFolder(account, 'root', 'Taken');
  await signIn(page, account);
  await grid(page).focus();
  await page.keyboard.press('n');
  const name = page.getByRole('dialog').getByRole('textbox');
  await name.fill('Taken');
  await page.keyboard.press('Enter');
  await page.getByText('There is something with this name already').waitFor();
  await name.fill('Plans');
  await page.keyboard.press('Enter');
  await entry(page, 'Plans').waitFor();

  await entry(page, 'Plans').click();
  await page.keyboard.press('F2');
  const field = page.getByRole('textbox', { name: 'New name for Plans' });
  await field.fill('Taken');
  await page.keyboard.press('Enter');
  await page.getByText('There is something with this name already').waitFor();
  assert.equal(await field.inputValue(), 'Taken', 'what was typed is kept');
  await field.fill('Ideas <b>bold');
  await page.keyboard.press('Enter');
  await entry(page, 'Ideas <b>bold').waitFor();
  await page.keyboard.press('Control+z');
  await entry(page, 'Plans').waitFor();

  // Spaces at the ends belong to a name that nobody touched; what was refused is not asked for again, nor is the focus kept.
  await upload(account, 'root', ' spaced.txt ', text('x'));
  await entry(page, ' spaced.txt ').click();
  await page.keyboard.press('F2');
  const spaced = page.getByRole('textbox', { name: 'New name for' });
  await spaced.blur();
  await spaced.waitFor({ state: 'detached' });
  assert.ok((await children(account, 'root')).some((one) => one.name === ' spaced.txt '));
  await entry(page, ' spaced.txt ').click();
  await page.keyboard.press('F2');
  await spaced.fill('Taken');
  await spaced.blur();
  await page.getByText('There is something with this name already').waitFor();
  assert.equal(await spaced.evaluate((field) => field === document.activeElement), false);
  await spaced.focus();
  await spaced.blur();
  await spaced.waitFor({ state: 'detached' });
});

journey(
  'a name that is written is not disturbed by what one uploads, and its refusal is told elsewhere, too',
  async (their) => {
    const { page, account } = their;
    await makeFolder(account, 'root', 'Taken');
    await upload(account, 'root', 'm.txt', text('x'));
    const asked = [];
    page.on('request', (request) => asked.push(`${request.method()} ${new URL(request.url()).pathname}`));
    await signIn(page, account);
    await entry(page, 'm.txt').click();
    await page.keyboard.press('F2');
    const field = page.getByRole('textbox', { name: 'New name for m.txt' });
    await field.fill('half written');
    const before = asked.length;
    const since = (path) => asked.slice(before).filter((one) => one === `GET /api/v1${path}`).length;
    await dropFiles(page, [{ name: 'a.txt', bytes: text('first of all') }]);
    // The room that is used is asked for later than the list would be.
    await until('the upload has been followed', async () => since('/usage') > 0);
    assert.equal(since('/files/root/children'), 0, 'the list is left alone');
    assert.equal(await field.inputValue(), 'half written');
    assert.ok(await field.evaluate((one) => one === document.activeElement));
    await page.keyboard.press('Enter');
    await entry(page, 'a.txt').waitFor();
    await entry(page, 'half written').click();

    const { begun, answer } = await holdChanges(page, '**/api/v1/files/*');
    await page.keyboard.press('F2');
    await page.getByRole('textbox', { name: 'New name for half written' }).fill('Taken');
    await place(page, 'Trash').click();
    await begun;
    await page.getByRole('heading', { name: 'The trash is empty' }).waitFor();
    answer();
    await toast(page, '“half written”: There is something with this name already').waitFor();
  },
);

journey('a part of the page that a cut line has lost comes when it is asked for again', async ({ page, account }) => {
  await signIn(page, account);
  await page.route('**/TrashPage*', (route) => route.abort());
  await page.getByRole('link', { name: 'Trash' }).first().click();
  await page.getByText('This part of the page could not be loaded').waitFor();
  await page.unroute('**/TrashPage*');
  await page.getByRole('button', { name: 'Try again' }).click();
  await page.getByRole('heading', { name: 'The trash is empty' }).waitFor();
});

journey('details tell what is known about a file', async ({ page, account }) => {
  await upload(account, 'root', 'note.txt', text('seven b'));
  await signIn(page, account);
  await entry(page, 'note.txt').click();
  await page.keyboard.press('i');
  const details = page.getByRole('complementary', { name: 'Details' });
  await details.getByText('7 bytes').waitFor();
  const [file] = await children(account, 'root');
  await details.getByText(file.sha256).waitFor();
});

journey('a list that cannot be read is an error with a way out, never an empty folder', async ({ page, account }) => {
  await upload(account, 'root', 'there.txt', text('x'));
  await signIn(page, account);
  await entry(page, 'there.txt').waitFor();
  const away = {
    status: 503,
    headers: { 'Retry-After': '60' },
    contentType: 'application/problem+json',
    body: JSON.stringify({
      type: 'about:blank',
      title: 'Unavailable',
      status: 503,
      detail: 'x',
      error: 'x',
      code: 'unavailable',
      requestId: 'request-1',
    }),
  };
  await page.route('**/children?*', (route) => route.fulfill(away));
  await page.reload();
  await page.getByRole('heading', { name: 'This list could not be read' }).waitFor();
  await page.getByText('request-1').waitFor();
  assert.equal(await page.getByText('This is the place for your files').count(), 0);
  await page.unroute('**/children?*');
  await page.getByRole('button', { name: /Try again/ }).click();
  await entry(page, 'there.txt').waitFor();
});

journey('without a connection the page says so and comes back by itself', async ({ page, account }) => {
  const folder = await makeFolder(account, 'root', 'Later');
  await makeFolder(account, folder.id, 'found');
  await signIn(page, account);
  await entry(page, 'Later').waitFor();
  await page.context().setOffline(true);
  await page.getByText('No connection').waitFor();
  // By a key: what says so moves the list, under a pointer too.
  await entry(page, 'Later').click();
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'This list could not be read' }).waitFor();
  await page.context().setOffline(false);
  await entry(page, 'found').waitFor();
  await page.getByText('No connection').waitFor({ state: 'detached' });
});

journey('a key that is pressed as a dialog closes is not lost', async ({ page, account }) => {
  await makeFolder(account, 'root', 'Photos');
  await signIn(page, account);
  await entry(page, 'Photos').waitFor();
  const help = page.getByRole('dialog', { name: 'Keyboard shortcuts' });
  for (let round = 0; round < 10; round += 1) {
    await page.keyboard.press('?');
    await help.waitFor();
    // at once, as fast as the keys can be sent
    await Promise.all([page.keyboard.press('Escape'), page.keyboard.press('?')]);
    await help.waitFor();
    await page.keyboard.press('Escape');
    await help.waitFor({ state: 'detached' });
  }
});

journey(
  'the list is there before 100 kB of the page have come, and what is wanted later comes after it',
  async (their) => {
    const { page, account } = their;
    await makeFolder(account, 'root', 'First');
    await signIn(page, account);
    // Another tab that knows nothing of what the first one has fetched.
    const fresh = await page.context().newPage();
    const protocol = await page.context().newCDPSession(fresh);
    await protocol.send('Network.enable');
    await protocol.send('Network.setCacheDisabled', { cacheDisabled: true });
    await fresh.addInitScript(watchFirst, { selector: '[role=grid] .entry[aria-selected]', name: 'firstSight' });
    await fresh.goto(`${address}/app/files`);
    const fetched = await fresh.evaluate(async () => {
      const { drawn } = await window.firstSight;
      return ['navigation', 'resource']
        .flatMap((type) => performance.getEntriesByType(type))
        .filter((one) => !one.name.includes('/api/') && one.startTime <= drawn)
        .map(({ name, transferSize }) => ({ name, bytes: transferSize }));
    });
    const bytes = fetched.reduce((sum, one) => sum + one.bytes, 0);
    const told = fetched.map(({ name, bytes }) => `${bytes} ${name}`).join('\n');
    assert.ok(fetched.length >= 3 && bytes > 50_000 && bytes <= 100_000, `${bytes} bytes:\n${told}`);
    await fresh.waitForFunction(() =>
      performance.getEntriesByType('resource').some(({ name }) => name.includes('/UploadPanel-')),
    );
  },
);
