// Draws the icons of the installed page from src/icon.svg, in the browser: npm run icons
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const source = fileURLToPath(new URL('../src/', import.meta.url));
const svg = readFileSync(`${source}icon.svg`, 'utf8');
const GROUND = '#4653d9';

/** `inset`: how much of each side is ground, where the device cuts its own form out of the icon. */
const ICONS = [
  { file: 'icon-192.png', size: 192, inset: null },
  { file: 'icon-512.png', size: 512, inset: null },
  { file: 'icon-maskable.png', size: 512, inset: 0.1 },
  { file: 'icon-touch.png', size: 180, inset: 0.04 },
];

const browser = await chromium.launch({
  executablePath: process.env.FM_E2E_CHROMIUM ?? '/usr/bin/chromium',
  args: ['--headless', '--no-sandbox', '--disable-gpu'],
});
const page = await browser.newPage();
for (const { file, size, inset } of ICONS) {
  const drawn = Math.round(size * (1 - 2 * (inset ?? 0)));
  await page.setViewportSize({ width: size, height: size });
  await page.setContent(`<style>
    body { margin: 0; display: grid; place-items: center; block-size: 100vh; background: ${inset === null ? 'none' : GROUND} }
    svg { inline-size: ${drawn}px; block-size: ${drawn}px }
  </style>${svg}`);
  await page.screenshot({ path: `${source}icons/${file}`, omitBackground: inset === null });
}
await browser.close();
