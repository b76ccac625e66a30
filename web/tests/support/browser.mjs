// A real browser against a running product. The address comes from FM_E2E_ADDRESS, the code for a fresh installation
// from FM_E2E_SETUP_CODE.
import { chromium } from 'playwright-core';

export const address = (process.env.FM_E2E_ADDRESS ?? '').replace(/\/+$/, '');
export const setupCode = process.env.FM_E2E_SETUP_CODE ?? '';
if (!address) throw new Error('FM_E2E_ADDRESS must name a running product, for example http://127.0.0.1:8080');

const ARGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

export const DESKTOP = { width: 1280, height: 800 };
export const PHONE = { width: 390, height: 844 };

export async function launch() {
  const executablePath = process.env.FM_E2E_CHROMIUM ?? '/usr/bin/chromium';
  return chromium.launch({ executablePath, args: ARGS });
}

/**
 * A page of its own, without a session. What goes wrong in it ends in `page.problems`: errors in the console, thrown
 * errors, and breaches of the content security policy. `endPage` fails if there are any.
 */
export async function openPage(
  browser,
  { viewport = DESKTOP, scheme = 'light', phone = false, scale = 1, locale = 'en-GB' } = {},
) {
  const context = await browser.newContext({
    viewport: phone ? PHONE : viewport,
    colorScheme: scheme,
    hasTouch: phone,
    isMobile: phone,
    deviceScaleFactor: scale,
    locale,
    timezoneId: 'UTC',
    acceptDownloads: true,
  });
  context.setDefaultTimeout(60_000);
  const page = await context.newPage();
  page.problems = [];
  page.on('pageerror', (error) => page.problems.push(`thrown: ${error.message}`));
  page.on('console', (message) => {
    // The browser itself notes every answer that is no success; the journeys cause some on purpose.
    if (message.type() === 'error' && !/Failed to load resource/.test(message.text()))
      page.problems.push(message.text());
  });
  return page;
}

export async function endPage(page) {
  const problems = page.problems;
  await page.context().close({ runBeforeUnload: false });
  if (problems.length > 0) throw new Error(`the page complained:\n${problems.join('\n')}`);
}
