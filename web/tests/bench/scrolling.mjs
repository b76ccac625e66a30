// s: frames that are missing while somebody scrolls through a large folder.
import { address } from '../support/browser.mjs';
import { grid } from '../support/steps.mjs';
import { settled, withPage } from './fresh.mjs';

const FRAMES_PER_SECOND = 60;
const SECONDS = 5;

/** An entry, and not the place of one that is on its way. */
const SEEN = '.entry[aria-selected]';

/** Pixels a frame: reading along, and looking for something far away. */
const SPEEDS = [
  ['slowly, 1,200 pixels a second', 20],
  ['fast, 12,000 pixels a second', 200],
];

export async function scrolling({ browser, session, plan, report }) {
  for (const layout of ['Grid', 'List']) {
    await withPage(browser, session, async (page) => {
      await page.goto(`${address}/app/files/${plan.many}`);
      await page.getByRole('button', { name: layout, exact: true }).click();
      await grid(page).locator(SEEN).first().waitFor();
      await settled(page);
      for (const [speed, pixels] of SPEEDS) {
        const { gaps, unseen } = await grid(page).evaluate(scroll, {
          pixels,
          frames: SECONDS * FRAMES_PER_SECOND,
          selector: SEEN,
        });
        const workload = `s scrolling in a folder of ${plan.entries.toLocaleString('en')} entries: ${layout.toLowerCase()}, ${speed}`;
        const period = 1000 / FRAMES_PER_SECOND;
        const dropped = gaps.reduce((sum, gap) => sum + Math.max(0, Math.round(gap / period) - 1), 0);
        const sorted = [...gaps].sort((a, b) => a - b);
        report.add(workload, 'frames dropped, %', (100 * dropped) / (gaps.length + dropped));
        report.add(workload, 'ms between two frames, p99', sorted[Math.floor(sorted.length * 0.99)]);
        report.add(workload, 'ms between two frames, longest', sorted.at(-1));
        report.add(workload, 'frames that show no entry at all, %', (100 * unseen) / gaps.length);
      }
    });
  }
  report.note(
    's: the browser draws without a graphics card. Frames are counted by requestAnimationFrame at 60 a second.',
  );
}

/** Runs in the page: scrolls a step in each frame. Milliseconds between frames, and how many showed nothing but placeholders. */
function scroll(scroller, { pixels, frames, selector }) {
  scroller.scrollTop = 0;
  return new Promise((resolve) => {
    const gaps = [];
    let unseen = 0;
    let before = null;
    const next = (now) => {
      if (before !== null) {
        gaps.push(now - before);
        if (!scroller.querySelector(selector)) unseen += 1;
      }
      before = now;
      if (gaps.length >= frames) return resolve({ gaps, unseen });
      scroller.scrollTop += pixels;
      requestAnimationFrame(next);
    };
    requestAnimationFrame(next);
  });
}
