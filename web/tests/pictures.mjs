// Writes the pictures of the README: npm run pictures -- ../../docs/images
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { screens } from './screens/index.mjs';
import { DESKTOP, endPage, launch, openPage } from './support/browser.mjs';
import { ensureSetUp, newAccount } from './support/product.mjs';
import { administrator, furnishQueue } from './support/queue.mjs';
import { furnish } from './support/scene.mjs';
import { settled } from './support/settled.mjs';
import { furnishSharing } from './support/sharing.mjs';
import { signIn } from './support/steps.mjs';

/** File, screen, and how one looks at it. */
const PICTURES = [
  { file: 'browse', screen: 'grid', scheme: 'light' },
  { file: 'viewer', screen: 'viewer', scheme: 'dark' },
  { file: 'share', screen: 'share', scheme: 'light' },
  { file: 'queue', screen: 'queue-overview', scheme: 'dark' },
  { file: 'storage', screen: 'account-storage', scheme: 'light' },
  { file: 'phone', screen: 'grid', scheme: 'light', phone: true, scale: 2 },
];
/** Widest that a picture is, in pixels: the README shows none larger. */
const WIDEST = DESKTOP.width;
const QUALITY = 0.8;

const [folder] = process.argv.slice(2);
if (!folder) throw new Error('say into which folder: npm run pictures -- FOLDER');
mkdirSync(folder, { recursive: true });

const browser = await launch();
await ensureSetUp();
const account = await newAccount('ada', 'ada@example.org').catch(() => newAccount('ada'));
const admin = await administrator();
const scene = await furnish(account);
scene.sharing = await furnishSharing(account, scene);
scene.queue = await furnishQueue(admin);

for (const { file, screen: name, phone = false, ...variant } of PICTURES) {
  const screen = screens.find((one) => one.name === name);
  const page = await openPage(browser, { ...variant, phone });
  await signIn(page, screen.admin ? admin : account, screen.path?.(scene) ?? '/app/files');
  await screen.act(page, phone, account);
  await settled(page);
  const shot = await page.screenshot();
  writeFileSync(join(folder, `${file}.webp`), await asWebp(page, shot));
  page.problems.length = 0;
  await endPage(page);
}
await browser.close();

/** The browser itself writes WebP, so nothing else is needed for it. */
async function asWebp(page, png) {
  const blank = await page.context().newPage();
  const url = await blank.evaluate(
    async ({ png: base64, widest, quality }) => {
      const bytes = Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
      const picture = await createImageBitmap(new Blob([bytes], { type: 'image/png' }));
      const scale = Math.min(1, widest / picture.width);
      const canvas = new OffscreenCanvas(Math.round(picture.width * scale), Math.round(picture.height * scale));
      const context = canvas.getContext('2d');
      context.imageSmoothingQuality = 'high';
      context.drawImage(picture, 0, 0, canvas.width, canvas.height);
      const blob = await canvas.convertToBlob({ type: 'image/webp', quality });
      const reader = new FileReader();
      return new Promise((done) => {
        reader.onload = () => done(reader.result);
        reader.readAsDataURL(blob);
      });
    },
    { png: png.toString('base64'), widest: WIDEST, quality: QUALITY },
  );
  return Buffer.from(url.slice(url.indexOf(',') + 1), 'base64');
}
