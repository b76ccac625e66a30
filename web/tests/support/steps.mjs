// Steps that many journeys share, as a person would take them.
import assert from 'node:assert/strict';
import { address } from './browser.mjs';

export async function signIn(page, account, path = '/') {
  await page.goto(address + path);
  await page.getByLabel('E-mail').fill(account.email);
  await page.getByLabel('Password', { exact: true }).fill(account.password);
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  await page.getByRole('navigation', { name: 'Places' }).first().waitFor();
}

/** Signs in, and waits until the page follows what happens: from then on it hears of the end of its session only when it asks for something. */
export async function signInAndFollow(page, account, path = '/') {
  const follows = ['/users/me/jobs/events', '/api/v1/events', '/notifications?unread=true&limit=1'].map((asked) =>
    page.waitForResponse((response) => response.url().endsWith(asked)),
  );
  await signIn(page, account, path);
  await Promise.all(follows);
}

/**
 * The link of a place in the rail. By its whole name: other links hold such words too, and a place may have a counter behind
 * its name.
 */
export const place = (page, name) =>
  page
    .getByRole('navigation', { name: 'Places' })
    .getByRole('link')
    .filter({ has: page.getByText(name, { exact: true }) });

/** The list of what is in a place. */
export const grid = (page) => page.getByRole('grid');

/** One entry of the list, by its name. */
export const entry = (page, name) =>
  grid(page)
    .locator('.entry')
    .filter({ has: page.locator(`[title="${name.replaceAll('"', '\\"')}"]`) });

export const toast = (page, text) => page.getByRole('region', { name: 'Messages' }).getByText(text);

/** The button in the message that offers to take something back. */
export const undoButton = (page) =>
  page.getByRole('region', { name: 'Messages' }).getByRole('button', { name: 'Undo', exact: true });

export const choose = (page, item) => page.getByRole('menuitem', { name: item }).click();

/** Gives files to the page as a drop would, anywhere or on an element. */
export async function dropFiles(page, files, selector = 'main') {
  const transfer = await page.evaluateHandle(
    (list) => {
      const data = new DataTransfer();
      for (const { name, bytes } of list) data.items.add(new File([Uint8Array.from(bytes)], name));
      return data;
    },
    files.map(({ name, bytes }) => ({ name, bytes: [...bytes] })),
  );
  await page.dispatchEvent(selector, 'dragover', { dataTransfer: transfer });
  await page.dispatchEvent(selector, 'drop', { dataTransfer: transfer });
}

/** Drops a folder of two files, and of another folder that never ends to be read. */
export async function dropEndlessFolder(page) {
  await page.evaluate(() => {
    const file = (name) => ({ isFile: true, name, file: (done) => done(new File(['x'], name)) });
    const endless = { isFile: false, name: 'endless', createReader: () => ({ readEntries: () => {} }) };
    const parts = [[], [file('1.txt'), file('2.txt'), endless]];
    const readEntries = (done) => done(parts.pop());
    DataTransferItem.prototype.webkitGetAsEntry = () => ({
      isFile: false,
      name: 'large',
      createReader: () => ({ readEntries }),
    });
  });
  await dropFiles(page, [{ name: 'large', bytes: [] }]);
}

/** Lets the page's file dialog choose these. */
export async function pickFiles(page, open, files) {
  const [chooser] = await Promise.all([page.waitForEvent('filechooser'), open()]);
  await chooser.setFiles(
    files.map(({ name, bytes }) => ({ name, mimeType: 'application/octet-stream', buffer: Buffer.from(bytes) })),
  );
}

/** The next uploads are carried out, and their answers lost: as when a line breaks after the last byte. */
export function loseAnswers(page, count) {
  return page.evaluate((lost) => {
    const { send } = XMLHttpRequest.prototype;
    let left = lost;
    XMLHttpRequest.prototype.send = function (body) {
      if (left > 0) {
        left -= 1;
        this.onload = this.onerror;
      }
      return send.call(this, body);
    };
  }, count);
}

/**
 * Changes at `url` wait, as on a slow line, from now on: `begun` when the first of them is on its way, and `answer` lets go of
 * all of them.
 */
export async function holdChanges(page, url) {
  let begin;
  let answer;
  const begun = new Promise((resolve) => (begin = resolve));
  const answered = new Promise((resolve) => (answer = resolve));
  await page.route(url, async (route) => {
    if (route.request().method() !== 'GET') {
      begin();
      await answered;
    }
    await route.continue();
  });
  return { begun, answer };
}

/**
 * The session of `page` is gone, and `act` is the first thing that finds out. What the page asks by itself (its polls
 * and streams) is held back until then: its refusal would open the dialog over whatever `act` wants to reach.
 */
export async function loseSession(page, act) {
  const context = page.context();
  let acted;
  const afterwards = new Promise((resolve) => (acted = resolve));
  const api = '**/api/v1/**';
  const held = [];
  const hold = (route) => held.push(afterwards.then(() => route.continue()));
  await context.route(api, hold);
  try {
    await context.clearCookies();
    await act();
  } finally {
    acted();
    // `unroute` lets go of what is held as well: nothing may be continued twice
    await Promise.allSettled(held);
    await context.unroute(api, hold);
  }
}

/** The browser asks before the page is left, and the page stays. It asks only where somebody has acted. */
export async function isAskedBeforeLeaving(page) {
  const asked = page.waitForEvent('dialog');
  const leaving = page.goto('about:blank').catch(() => {});
  const dialog = await asked;
  assert.equal(dialog.type(), 'beforeunload');
  await dialog.dismiss();
  await leaving;
}
