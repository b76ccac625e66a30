// What every journey has: a browser for the file, a page for the test, and a look at what went wrong.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { endPage, launch, openPage } from './browser.mjs';
import { newAccount } from './product.mjs';

let browser;
before(async () => {
  browser = await launch();
});
after(() => browser?.close());

/**
 * A journey: `run({ page, account, newPage })` with an account of its own. A picture of the page is left in
 * FM_E2E_PICTURES if it fails.
 */
export function journey(name, run, options = {}) {
  test(name, async () => {
    const pages = [];
    const newPage = async (more = {}) => {
      const page = await openPage(browser, { ...options, ...more });
      pages.push(page);
      return page;
    };
    const page = await newPage();
    try {
      const account = options.stranger ? null : await newAccount();
      await run({ page, account, newPage });
    } catch (error) {
      await keepPicture(page, name);
      if (page.problems.length > 0) error.message += `\nand the page complained:\n${page.problems.join('\n')}`;
      for (const one of pages) await one.context().close();
      throw error;
    }
    for (const one of pages) await endPage(one);
  });
}

async function keepPicture(page, name) {
  const folder = process.env.FM_E2E_PICTURES;
  if (!folder) return;
  mkdirSync(folder, { recursive: true });
  await page.screenshot({ path: join(folder, `${name.replace(/\W+/g, '-')}.png`) }).catch(() => {});
}
