// Measures the page in headless Chromium, for `cargo xtask bench web`, which starts and fills the product: node bench/run.mjs
// Prints lines of JSON: {workload, measure, figure, beside?}, {note} or {doing}.
import { launch, openPage } from '../support/browser.mjs';
import { signIn } from '../support/steps.mjs';
import { firstLoad } from './first-load.mjs';
import { opening } from './opening.mjs';
import { scrolling } from './scrolling.mjs';
import { uploads } from './uploads.mjs';

const WORKLOADS = { f: firstLoad, o: opening, s: scrolling, u: uploads };

const plan = JSON.parse(process.env.FM_BENCH_PLAN ?? 'null');
if (!plan) throw new Error('FM_BENCH_PLAN says what is measured: this is run by `cargo xtask bench web`');
const wanted = Object.keys(WORKLOADS).filter((letter) => !plan.workloads || plan.workloads.includes(letter));

const print = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
const noted = new Set();
const report = {
  add: (workload, measure, figure, beside) => print({ workload, measure, figure, beside }),
  /** Once, however often it is said. */
  note(note) {
    if (!noted.has(note)) print({ note });
    noted.add(note);
  },
};

const browser = await launch();
try {
  const page = await openPage(browser);
  await signIn(page, plan);
  const session = await page.context().storageState();
  await page.context().close();
  for (let round = 0; round < plan.rounds; round++) {
    for (const letter of wanted) {
      print({ doing: `round ${round + 1}: workload ${letter}` });
      await WORKLOADS[letter]({ browser, session, plan, round, report });
    }
  }
} finally {
  await browser.close();
}
