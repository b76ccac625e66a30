import assert from 'node:assert/strict';
import { check } from '../support/axe.mjs';
import { journey } from '../support/journey.mjs';
import { makeFolder, ok, thumbnailsReady, trashIt, upload } from '../support/product.mjs';
import { picture, sample, text, tone } from '../support/samples.mjs';
import { entry, signIn, undoButton } from '../support/steps.mjs';

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
  assert.equal(await page.getByRole('button', { name: 'Previous', exact: true }).count(), 0, 'folders are passed over');
  await page.getByRole('button', { name: 'Next', exact: true }).click();
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

journey('what leaves the list while it is looked at stays to be seen, until it is gone', async ({ page, account }) => {
  const files = [];
  for (const name of ['1.txt', '2.txt', '3.txt']) files.push(await upload(account, 'root', name, text(name)));
  for (const file of files) await ok('PATCH', `/files/${file.id}`, { body: { starred: true }, token: account.token });
  await signIn(page, account, '/app/starred');
  const [before, at, after] = (await ok('GET', '/starred', { token: account.token })).items;
  await entry(page, at.name).dblclick();
  await viewer(page, at.name).waitFor();
  await page.keyboard.press('i');
  await viewer(page, at.name).getByRole('button', { name: 'Remove the star' }).click();
  await page.locator('[role=grid] .entry').nth(2).waitFor({ state: 'detached' });
  await viewer(page, at.name).getByRole('button', { name: 'Add a star' }).waitFor();
  await page.keyboard.press('ArrowRight');
  await viewer(page, after.name).waitFor();
  await page.keyboard.press('ArrowLeft');
  await viewer(page, before.name).waitFor();
  await trashIt(account, before.id);
  await page.getByText('It is not there any more').waitFor();
});

journey('shortcuts of a single letter are turned off for the viewer, too', async ({ page, account }) => {
  const file = await upload(account, 'root', 'p.png', picture(1600, 1000));
  await thumbnailsReady(account, file.id);
  await signIn(page, account);
  await entry(page, 'p.png').waitFor();
  await page.keyboard.press('?');
  const help = page.getByRole('dialog', { name: 'Keyboard shortcuts' });
  await help.getByLabel('Shortcuts of a single letter').uncheck();
  await page.keyboard.press('Escape');
  await help.waitFor({ state: 'detached' });
  await entry(page, 'p.png').dblclick();
  await viewer(page, 'p.png').waitFor();
  await loaded(page);
  const details = viewer(page, 'p.png').getByRole('complementary', { name: 'Details' });
  for (const key of ['i', '+', 'd']) await page.keyboard.press(key);
  assert.equal(await details.count(), 0);
  assert.ok(await page.getByRole('button', { name: 'Zoom out', exact: true }).isDisabled(), 'it is as large as before');
  await viewer(page, 'p.png').getByRole('button', { name: 'Details', exact: true }).click();
  await details.waitFor();
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
    viewer(page, 'thing.bin').getByRole('button', { name: 'Download', exact: true }).last().click(),
  ]);
  assert.equal(download.suggestedFilename(), 'thing.bin');
});

journey('a film is sought through, by ranges of its bytes', async ({ page, account }) => {
  // Without a collection of samples a long sound stands for it: it is read in the same way.
  const film = sample('video-h264.mp4');
  const name = film ? 'rabbit.mp4' : 'rabbit.wav';
  await upload(account, 'root', name, new Uint8Array(film ?? tone(600)));
  const parts = [];
  page.on('response', (answer) => {
    if (answer.url().endsWith('/content')) parts.push(answer.status());
  });
  await signIn(page, account);
  await entry(page, name).dblclick();
  await viewer(page, name).waitFor();
  const media = page.locator('[role=dialog] :is(video, audio)');
  await page.waitForFunction(() => document.querySelector(':is(video, audio)')?.readyState >= 1);
  for (const part of [0.75, 0.25]) {
    const reached = await media.evaluate(
      (one, to) =>
        new Promise((resolve) => {
          one.addEventListener('seeked', () => resolve(one.currentTime / one.duration), { once: true });
          one.currentTime = one.duration * to;
        }),
      part,
    );
    assert.ok(Math.abs(reached - part) < 0.02, `${reached} instead of ${part}`);
  }
  assert.ok(parts.length > 0 && parts.every((status) => status === 206), parts.join());
});

journey('markup in names, tags and the facts of a picture is text', async ({ page, account }) => {
  const name = '<img src=x onerror="document.title=1">.jpg';
  const { id } = await upload(account, 'root', name, new Uint8Array(sample('exif-markup.jpg') ?? picture(480, 320)));
  await ok('PATCH', `/files/${id}`, { body: { tags: ['<b>bold</b>'] }, token: account.token });
  const { media } = await thumbnailsReady(account, id);
  page.on('dialog', (asked) => page.problems.push(`asked: ${asked.message()}`));
  await signIn(page, account);
  await entry(page, name).waitFor();
  await page.getByRole('button', { name: 'List', exact: true }).click();
  await entry(page, name).dblclick();
  await viewer(page, name).waitFor();
  await loaded(page);
  await page.keyboard.press('i');
  const details = viewer(page, name).getByRole('complementary', { name: 'Details' });
  await details.getByRole('heading', { name }).waitFor();
  await details.getByText('<b>bold</b>', { exact: true }).first().waitFor();
  if (media?.camera) await details.getByText(media.camera, { exact: true }).waitFor();
  assert.equal(await details.locator('img[src="x"], b').count(), 0);
  assert.notEqual(await page.title(), '1');
});

journey('what plays goes on when the viewer is closed, and is taken back by it', async ({ page, account }) => {
  await makeFolder(account, 'root', 'Elsewhere');
  const file = await upload(account, 'root', 'long.wav', tone(90));
  await signIn(page, account);
  await entry(page, 'long.wav').dblclick();
  await viewer(page, 'long.wav').waitFor();
  await page.locator('audio').evaluate((one) => {
    one.muted = true;
    one.currentTime = 20;
    return one.play();
  });
  await page.keyboard.press('Escape');
  await viewer(page, 'long.wav').waitFor({ state: 'detached' });
  const playing = page.getByRole('region', { name: 'Playing' });
  const goesOn = () =>
    page.waitForFunction(() => {
      const [one, ...more] = document.querySelectorAll('audio');
      return one && more.length === 0 && !one.paused && one.muted && one.currentTime > 20;
    });
  await playing.waitFor();
  await goesOn();
  await check(page, 'what plays on');
  await entry(page, 'Elsewhere').dblclick();
  await page.getByText('This folder is empty').waitFor();
  await goesOn();

  await playing.getByRole('link', { name: 'long.wav' }).click();
  await viewer(page, 'long.wav').waitFor();
  await playing.waitFor({ state: 'detached' });
  await goesOn();
  // It does so when the file gets a tag meanwhile.
  await page.keyboard.press('i');
  const details = viewer(page, 'long.wav').getByRole('complementary', { name: 'Details' });
  await details.getByRole('heading', { name: 'long.wav' }).waitFor();
  await ok('PATCH', `/files/${file.id}`, { token: account.token, body: { tags: ['while it plays'] } });
  await details.getByText('while it plays').waitFor();
  await goesOn();
  await page.keyboard.press('i');
  await details.waitFor({ state: 'detached' });
  // What is stopped stays so.
  await page.locator('audio').evaluate((one) => one.pause());
  await page.keyboard.press('Escape');
  await viewer(page, 'long.wav').waitFor({ state: 'detached' });
  assert.equal(await page.locator('audio').count(), 0);

  await entry(page, 'long.wav').dblclick();
  await viewer(page, 'long.wav').waitFor();
  await page.locator('audio').evaluate((one) => {
    one.muted = true;
    return one.play();
  });
  await page.keyboard.press('Escape');
  await playing.getByRole('button', { name: 'Stop playing' }).click();
  await playing.waitFor({ state: 'detached' });
  assert.equal(await page.locator('audio').count(), 0);
});

journey('a picture thrown away while viewing makes room for the next', async ({ page, account }) => {
  for (let n = 1; n <= 2; n++) await upload(account, 'root', `p${n}.png`, picture(200, 100, n * 90));
  await signIn(page, account);
  await entry(page, 'p1.png').dblclick();
  await viewer(page, 'p1.png').waitFor();
  await page.keyboard.press('Delete');
  await viewer(page, 'p2.png').waitFor();
  await undoButton(page).click();
  await page.keyboard.press('Escape');
  await entry(page, 'p1.png').waitFor();
});
