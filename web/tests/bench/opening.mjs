// o: from the double click on a folder to its first entry, for a folder of few and of many.
import { address } from '../support/browser.mjs';
import { entry } from '../support/steps.mjs';
import { settled, withPage } from './fresh.mjs';

/** Pages of each kind in a round. */
const TIMES = 5;

export async function opening({ browser, session, plan, report }) {
  const workload = `o opening a folder of ${plan.entries.toLocaleString('en')} entries`;
  for (let time = 0; time < TIMES; time++) {
    for (const [folder, beside] of [
      ['few', 'a folder of 10 entries'],
      ['many', undefined],
    ]) {
      const took = await withPage(browser, session, (page) => open(page, folder));
      report.add(workload, 'ms until the first entry is drawn', took, beside);
    }
  }
}

/** On a page that has not seen it before: what was seen is kept, and shown at once. */
async function open(page, folder) {
  await page.goto(`${address}/app/files`);
  await entry(page, folder).waitFor();
  await settled(page);
  await page.evaluate(() => {
    window.opened = new Promise((resolve) => {
      const begin = ({ timeStamp }) => {
        const watched = new MutationObserver(look);
        function look() {
          if (!document.querySelector('[role=grid] .entry [title^="file "]')) return;
          watched.disconnect();
          requestAnimationFrame(() => setTimeout(() => resolve(performance.now() - timeStamp)));
        }
        watched.observe(document, { childList: true, subtree: true, attributes: true });
      };
      addEventListener('dblclick', begin, { capture: true, once: true });
    });
  });
  await entry(page, folder).dblclick();
  return page.evaluate(() => window.opened);
}
