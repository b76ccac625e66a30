// Pages that have nothing in their cache, and what they tell of their own time.
import { DESKTOP } from '../support/browser.mjs';

/** Long enough for a gibibyte on a slow disk. */
export const PATIENCE_MS = 600_000;

/** Runs `use` with a page of its own, signed in by `session` unless that is null. */
export async function withPage(browser, session, use) {
  const context = await browser.newContext({
    viewport: DESKTOP,
    locale: 'en-GB',
    timezoneId: 'UTC',
    ...(session ? { storageState: session } : {}),
  });
  context.setDefaultTimeout(PATIENCE_MS);
  try {
    return await use(await context.newPage());
  } finally {
    await context.close();
  }
}

/** Lets the page end what it does after its first sight. It never stops asking: it follows what happens. */
export const settled = (page) => page.waitForTimeout(700);

/**
 * To be run in the page: milliseconds of its own clock at which the first element of a selector was drawn, and those at which the page had nothing more to do
 * after that. Both are left in `window[name]`.
 */
export function watchFirst({ selector, name }) {
  window[name] = new Promise((resolve) => {
    const watched = new MutationObserver(look);
    function look() {
      if (!document.querySelector(selector)) return;
      watched.disconnect();
      // The frame that has it is drawn before the next task.
      requestAnimationFrame(() =>
        setTimeout(() => {
          const drawn = performance.now();
          requestIdleCallback(() => resolve({ drawn, idle: performance.now() }));
        }),
      );
    }
    watched.observe(document, { childList: true, subtree: true, attributes: true });
    look();
  });
}
