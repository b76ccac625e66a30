// f: what the first sight of the page costs, with an empty cache.
import { address } from '../support/browser.mjs';
import { watchFirst, withPage } from './fresh.mjs';

const SCREENS = [
  { screen: 'files', path: '/app/files', selector: '[role=grid] .entry[aria-selected]', signedIn: true },
  { screen: 'sign-in', path: '/app/files', selector: 'form input[type=password]', signedIn: false },
];

/** What tools for audits of pages take for a phone on a slow line: 150 ms, 1.6 Mbit/s down, a quarter of the speed. */
const SLOW = {
  network: { offline: false, latency: 150, downloadThroughput: (1.6 * 1e6) / 8, uploadThroughput: (0.75 * 1e6) / 8 },
  slowdown: 4,
};

/** So long after the first sight more may come, such as parts that are fetched ahead. */
const AFTER_MS = 1500;

export async function firstLoad({ browser, session, report }) {
  for (const { screen, path, selector, signedIn } of SCREENS) {
    const workload = `f first load of the page, empty cache: ${screen}`;
    await withPage(browser, signedIn ? session : null, async (page) => {
      const { traffic, seen } = await load(page, path, selector);
      await page.waitForTimeout(AFTER_MS);
      const until = (kind) => traffic.filter((one) => one.kind === kind && one.at <= seen.at);
      const bytes = (all) => all.reduce((sum, one) => sum + one.bytes, 0) / 1000;
      report.add(workload, 'kB of the page until it is drawn', bytes(until('page')));
      report.add(workload, 'kB of answers of the API until then', bytes(until('api')));
      report.add(workload, 'requests until then', until('page').length + until('api').length);
      report.add(workload, 'kB of everything, 1.5 s later', bytes(traffic));
      report.add(workload, 'ms until it is drawn', seen.drawn);
      report.add(workload, 'ms until it can be used', seen.idle);
    });
    await withPage(browser, signedIn ? session : null, async (page) => {
      const protocol = await page.context().newCDPSession(page);
      await protocol.send('Network.enable');
      await protocol.send('Network.emulateNetworkConditions', SLOW.network);
      await protocol.send('Emulation.setCPUThrottlingRate', { rate: SLOW.slowdown });
      const { seen } = await load(page, path, selector);
      report.add(workload, 'ms until it can be used, slow line and slow phone', seen.idle);
    });
  }
  report.note(
    'f: bytes as they are on the line, heads of answers included; the list is drawn when its first entry is, and can be used when the browser has nothing left to do for it. ' +
      'Slow: 150 ms and 1.6 Mbit/s by the browser itself, processor four times slower.',
  );
}

/** Opens a page, and says what came over the line and when it was drawn. */
async function load(page, path, selector) {
  const protocol = await page.context().newCDPSession(page);
  await protocol.send('Network.enable');
  const kinds = new Map();
  const traffic = [];
  protocol.on('Network.requestWillBeSent', ({ requestId, request }) => {
    const { pathname, protocol: scheme } = new URL(request.url);
    if (scheme.startsWith('http')) kinds.set(requestId, pathname.startsWith('/api/') ? 'api' : 'page');
  });
  protocol.on('Network.loadingFinished', ({ requestId, encodedDataLength }) => {
    const kind = kinds.get(requestId);
    if (kind) traffic.push({ kind, bytes: encodedDataLength, at: performance.now() });
  });
  await page.addInitScript(watchFirst, { selector, name: 'firstSight' });
  await page.goto(address + path, { waitUntil: 'commit' });
  const seen = await page.evaluate(() => window.firstSight);
  return { traffic, seen: { ...seen, at: performance.now() } };
}
