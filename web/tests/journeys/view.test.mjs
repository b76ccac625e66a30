import assert from 'node:assert/strict';
import { journey } from '../support/journey.mjs';
import { makeFolder, thumbnailsReady, upload } from '../support/product.mjs';
import { picture, text, tone } from '../support/samples.mjs';
import { entry, signIn } from '../support/steps.mjs';

const viewer = (page, name) => page.getByRole('dialog', { name: `Viewing ${name}` });
const loaded = (page) =>
  page.waitForFunction(() => {
    const image = document.querySelector('[role=dialog] img');
    return image?.complete && image.naturalWidth > 0;
  });

journey('pictures are looked at one after another, large, and whole on demand', async ({ page, account }) => {
  await makeFolder(account, 'root', 'a folder in between');
  const files = [];
  for (let n = 1; n <= 3; n++) files.push(await upload(account, 'root', `p${n}.png`, picture(1600, 1000, n * 90)));
  for (const file of files) await thumbnailsReady(account, file.id);
  await signIn(page, account);
  await entry(page, 'p2.png').dblclick();
  await viewer(page, 'p2.png').waitFor();
  await loaded(page);
  assert.ok(page.url().includes(`view=${files[1].id}`));
  const src = () => page.locator('[role=dialog] img').first().getAttribute('src');
  assert.match(await src(), /thumbnails\/1280/);

  await page.keyboard.press('ArrowRight');
  await viewer(page, 'p3.png').waitFor();
  await page.keyboard.press('ArrowLeft');
  await page.keyboard.press('ArrowLeft');
  await viewer(page, 'p1.png').waitFor();
  assert.equal(await page.getByRole('button', { name: 'Previous' }).count(), 0, 'folders are passed over');
  await page.getByRole('button', { name: 'Next' }).click();
  await viewer(page, 'p2.png').waitFor();
  await loaded(page);

  await page.keyboard.press('+');
  await page.locator('[role=dialog] img[src*="/content"]').waitFor();
  await page.getByRole('button', { name: 'Original', exact: true }).waitFor();
  await page.keyboard.press('0');

  await page.reload();
  await viewer(page, 'p2.png').waitFor();
  await page.keyboard.press('Escape');
  await viewer(page, 'p2.png').waitFor({ state: 'detached' });
  await entry(page, 'p2.png').waitFor();
  assert.ok(!page.url().includes('view='));
});

journey('going back closes the viewer and gives the focus back', async ({ page, account }) => {
  const file = await upload(account, 'root', 'p.png', picture(300, 200));
  await thumbnailsReady(account, file.id);
  await signIn(page, account);
  await entry(page, 'p.png').click();
  await page.keyboard.press('Enter');
  await viewer(page, 'p.png').waitFor();
  await page.goBack();
  await viewer(page, 'p.png').waitFor({ state: 'detached' });
  assert.equal(await page.evaluate(() => document.activeElement?.getAttribute('role')), 'grid');
});

journey(
  'a swipe turns the page on a phone',
  async ({ page, account }) => {
    const files = [];
    for (let n = 1; n <= 2; n++) files.push(await upload(account, 'root', `p${n}.png`, picture(300, 200, n * 90)));
    for (const file of files) await thumbnailsReady(account, file.id);
    await signIn(page, account);
    await entry(page, 'p1.png').tap();
    await viewer(page, 'p1.png').waitFor();
    await loaded(page);
    const swipe = await page.context().newCDPSession(page);
    const touch = (type, x) =>
      swipe.send('Input.dispatchTouchEvent', { type, touchPoints: type === 'touchEnd' ? [] : [{ x, y: 400 }] });
    await touch('touchStart', 300);
    for (let x = 280; x >= 100; x -= 20) await touch('touchMove', x);
    await touch('touchEnd', 100);
    await viewer(page, 'p2.png').waitFor();
  },
  { phone: true },
);

journey('text is shown as text, whatever it says', async ({ page, account }) => {
  await upload(account, 'root', 'page.txt', text('<script>document.title = "taken"</script> grüße'));
  await upload(account, 'root', 'long.txt', text('line of text\n'.repeat(100_000)));
  await signIn(page, account);
  await entry(page, 'page.txt').dblclick();
  await page.getByText('<script>document.title').waitFor();
  assert.doesNotMatch(await page.title(), /taken/);
  await page.keyboard.press('Escape');
  await entry(page, 'long.txt').dblclick();
  await page.getByText(/The first 524 kB of 1.3 MB/).waitFor();
});

journey('sound plays in the page; what has no viewer can be downloaded', async ({ page, account }) => {
  await upload(account, 'root', 'tone.wav', tone());
  await upload(account, 'root', 'thing.bin', new Uint8Array([0, 1, 2, 254, 255, 0, 7]));
  await signIn(page, account);
  await entry(page, 'tone.wav').dblclick();
  await page.waitForFunction(() => document.querySelector('audio')?.readyState >= 1);
  await page.keyboard.press('Escape');
  await entry(page, 'thing.bin').dblclick();
  await page.getByText('There is no preview for this kind of file').waitFor();
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    viewer(page, 'thing.bin').getByRole('button', { name: 'Download' }).last().click(),
  ]);
  assert.equal(download.suggestedFilename(), 'thing.bin');
});

journey('a picture thrown away while viewing makes room for the next', async ({ page, account }) => {
  for (let n = 1; n <= 2; n++) await upload(account, 'root', `p${n}.png`, picture(200, 100, n * 90));
  await signIn(page, account);
  await entry(page, 'p1.png').dblclick();
  await viewer(page, 'p1.png').waitFor();
  await page.keyboard.press('Delete');
  await viewer(page, 'p2.png').waitFor();
  await page.getByRole('button', { name: 'Undo' }).click();
  await page.keyboard.press('Escape');
  await entry(page, 'p1.png').waitFor();
});
