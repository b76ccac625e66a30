// Large uploads: stopped, cut off, reloaded, and gone on with where they stand.
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { address } from '../support/browser.mjs';
import { journey } from '../support/journey.mjs';
import { children, makeFolder, ok, until } from '../support/product.mjs';
import { line } from '../support/proxy.mjs';
import { makeLink } from '../support/sharing.mjs';
import { choose, entry, toast } from '../support/steps.mjs';

const MiB = 1024 * 1024;
const tray = (page) => page.getByRole('region', { name: 'Uploads' });
const uploadsOf = async (account) => (await ok('GET', '/uploads', { token: account.token })).items;

/** A file on disk, so that the browser finds it unchanged when it is chosen again. */
function large(name, size = 40 * MiB) {
  const path = join(mkdtempSync(join(tmpdir(), 'fm-resume-')), name);
  const bytes = randomBytes(size);
  writeFileSync(path, bytes);
  return { path, name, size, sha256: createHash('sha256').update(bytes).digest('hex') };
}

async function signInBy(page, account, at) {
  await page.goto(`${at}/app/files`);
  await page.getByLabel('E-mail').fill(account.email);
  await page.getByLabel('Password', { exact: true }).fill(account.password);
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  await page.getByText('This is the place for your files').waitFor();
}

async function pick(page, file) {
  const [chooser] = await Promise.all([
    page.waitForEvent('filechooser'),
    (async () => {
      await page.getByRole('button', { name: 'New', exact: true }).filter({ visible: true }).click();
      await choose(page, /Upload files/);
    })(),
  ]);
  await chooser.setFiles(file.path);
}

/** Leaves the page in the middle of an upload, and comes back to it. What has not gone by then never goes. */
async function comeBack(page, net) {
  const here = page.url();
  await page.goto('about:blank');
  net.goOn();
  await page.goto(here);
}

/** How many files the browser knows by their handles. */
async function handlesKept() {
  const known = await indexedDB.databases();
  if (!known.some((one) => one.name === 'fm-uploads')) return 0;
  return new Promise((resolve) => {
    const request = indexedDB.open('fm-uploads');
    request.onsuccess = () => {
      const database = request.result;
      const count = database.transaction('handles').objectStore('handles').count();
      count.onsuccess = () => {
        database.close();
        resolve(count.result);
      };
    };
  });
}

/** The offsets at which bytes were appended. */
function offsetsOf(page) {
  const offsets = [];
  page.on('request', (request) => {
    const offset = request.headers()['upload-offset'];
    if (request.method() === 'PATCH' && offset !== undefined) offsets.push(Number(offset));
  });
  return offsets;
}

const arrivedWhole = async (account, file) => {
  const found = (await children(account, 'root')).find((one) => one.name === file.name);
  assert.equal(found.size, file.size);
  assert.equal(found.sha256, file.sha256);
  assert.deepEqual(await uploadsOf(account), []);
};

journey('a cut line and a server that is away lose nothing of a large upload', async ({ page, account }) => {
  const net = await line();
  const file = large('film.bin');
  const offsets = offsetsOf(page);
  try {
    await signInBy(page, account, net.address);
    const cut = net.cutAfter(12 * MiB);
    await pick(page, file);
    await cut;
    await until('it went on', () => offsets.length >= 2);
    const gone = net.stopAfter(4 * MiB);
    await gone;
    net.leave();
    net.goOn();
    await page.getByText('No connection').waitFor();
    net.back();
    await entry(page, file.name).waitFor();
    assert.equal(offsets[0], 0);
    assert.ok(offsets.length >= 3, offsets.join());
    for (let n = 1; n < offsets.length; n++) assert.ok(offsets[n] >= offsets[n - 1], offsets.join());
    assert.ok(offsets.at(-1) > 0, offsets.join());
    await arrivedWhole(account, file);
  } finally {
    net.end();
  }
});

journey('a large upload goes on after a reload, with the file chosen again', async ({ page, account }) => {
  const net = await line();
  const file = large('archive.bin');
  const offsets = offsetsOf(page);
  page.on('dialog', (dialog) => dialog.accept());
  try {
    await signInBy(page, account, net.address);
    const stopped = net.stopAfter(20 * MiB);
    await pick(page, file);
    await stopped;
    await comeBack(page, net);
    await tray(page).getByText('1 upload is unfinished').first().waitFor();
    await tray(page)
      .getByText(/^\S+ MB of 41\.9 MB have arrived$/)
      .waitFor();
    const [kept] = await uploadsOf(account);
    assert.ok(kept.offset > 0 && kept.offset < file.size, `${kept.offset}`);

    const again = async (path) => {
      const [chooser] = await Promise.all([
        page.waitForEvent('filechooser'),
        tray(page)
          .getByRole('button', { name: `Choose file again: ${file.name}` })
          .click(),
      ]);
      await chooser.setFiles(path);
    };
    await again(large('other.bin', 9 * MiB).path);
    await toast(page, 'is another file').waitFor();
    const changed = large(file.name);
    utimesSync(changed.path, new Date(2001, 1, 1), new Date(2001, 1, 1));
    await again(changed.path);
    await tray(page).getByText('This is another version of the file').waitFor();
    await again(file.path);
    await entry(page, file.name).waitFor();
    assert.ok(offsets.at(-1) >= kept.offset && offsets.at(-1) > 0, offsets.join());
    await arrivedWhole(account, file);
  } finally {
    net.end();
  }
});

journey('a file that was dropped is known again by the browser', async ({ page, account }) => {
  const net = await line();
  const file = large('dropped.bin');
  page.on('dialog', (dialog) => dialog.accept());
  try {
    await signInBy(page, account, net.address);
    const stopped = net.stopAfter(12 * MiB);
    const browser = await page.context().newCDPSession(page);
    const data = { items: [], files: [file.path], dragOperationsMask: 1 };
    for (const type of ['dragEnter', 'dragOver', 'drop'])
      await browser.send('Input.dispatchDragEvent', { type, x: 600, y: 400, data });
    await stopped;
    await until('the browser keeps where it is', () => page.evaluate(handlesKept));
    await comeBack(page, net);
    // Whether it may be read is then the reader's own answer to the browser.
    await tray(page)
      .getByRole('button', { name: `Go on: ${file.name}` })
      .waitFor();
  } finally {
    net.end();
  }
});

journey('an upload is paused and gone on with, and one that is unfinished can be ended', async ({ page, account }) => {
  const net = await line();
  const file = large('music.bin');
  const offsets = offsetsOf(page);
  page.on('dialog', (dialog) => dialog.accept());
  try {
    await signInBy(page, account, net.address);
    const stopped = net.stopAfter(12 * MiB);
    await pick(page, file);
    await stopped;
    await tray(page)
      .getByRole('button', { name: `Pause ${file.name}` })
      .click();
    net.goOn();
    await tray(page).getByText('1 file is paused').first().waitFor();
    await tray(page)
      .getByText(/^Paused · .* of /)
      .waitFor();
    await tray(page)
      .getByRole('button', { name: `Go on with ${file.name}` })
      .click();
    await entry(page, file.name).waitFor();
    assert.ok(offsets.at(-1) > 0, offsets.join());
    await arrivedWhole(account, file);

    // The same name again: all has arrived before the question, and nothing is sent twice.
    const sent = offsets.length;
    const second = { ...large('x.bin', 9 * MiB), name: file.name };
    const renamed = join(mkdtempSync(join(tmpdir(), 'fm-resume-')), file.name);
    writeFileSync(renamed, randomBytes(9 * MiB));
    await pick(page, { ...second, path: renamed });
    await page
      .getByRole('dialog', { name: /is there already/ })
      .getByRole('button', { name: 'Keep both' })
      .click();
    await entry(page, 'music (2).bin').waitFor();
    assert.equal(offsets.length, sent + 1);

    const third = large('unwanted.bin');
    const halted = net.stopAfter(12 * MiB);
    await pick(page, third);
    await halted;
    await comeBack(page, net);
    await tray(page)
      .getByRole('button', { name: `End the upload of ${third.name}` })
      .click();
    await page.getByRole('alertdialog').getByRole('button', { name: 'End upload' }).click();
    await until('it is gone', async () => (await uploadsOf(account)).length === 0);
    assert.deepEqual((await children(account, 'root')).map((one) => one.name).sort(), ['music (2).bin', 'music.bin']);
  } finally {
    net.end();
  }
});

journey('what another device is sending is not ended unasked', async ({ page, account }) => {
  const headers = { Authorization: `Bearer ${account.token}`, 'Tus-Resumable': '1.0.0' };
  const begun = await fetch(`${address}/api/v1/uploads`, {
    method: 'POST',
    headers: { ...headers, 'Upload-Length': '9', 'Upload-Metadata': `filename ${btoa('desktop.bin')}` },
  });
  const id = begun.headers.get('Location').split('/').at(-1);
  const append = (offset) =>
    fetch(`${address}/api/v1/uploads/${id}`, {
      method: 'PATCH',
      headers: { ...headers, 'Content-Type': 'application/offset+octet-stream', 'Upload-Offset': `${offset}` },
      body: 'abc',
    });
  assert.equal((await append(0)).status, 204);
  await signInBy(page, account, address);
  await tray(page).getByText('begun on another device').waitFor();
  const looked = page.waitForResponse((answer) => answer.url().endsWith(`/uploads/${id}`));
  await tray(page).getByRole('button', { name: 'End the upload of desktop.bin' }).click();
  await looked;
  assert.equal((await append(3)).status, 204);
  const question = page.getByRole('alertdialog');
  await question.getByText('Another device is sending this file right now').waitFor();
  await question.getByRole('button', { name: 'Cancel' }).click();
  assert.equal((await append(6)).status, 204);
  await entry(page, 'desktop.bin').waitFor();
});

journey('what is dropped by a link goes on after a cut line and a reload', async ({ page, account }) => {
  const net = await line();
  const file = large('film.bin');
  const box = await makeFolder(account, 'root', 'Letter box');
  const link = await makeLink(account, box.id, { role: 'dropper' });
  const offsets = offsetsOf(page);
  page.on('dialog', (dialog) => dialog.accept());
  const chooseFile = async () => {
    const [chooser] = await Promise.all([
      page.waitForEvent('filechooser'),
      page.getByRole('button', { name: 'Choose files' }).click(),
    ]);
    await chooser.setFiles(file.path);
  };
  const uploads = async () =>
    (await ok('GET', '/access', { token: account.token })).items.filter((one) => one.kind === 'upload');
  try {
    await page.goto(`${net.address}/app/s/${link.token}`);
    const cut = net.cutAfter(12 * MiB);
    await chooseFile();
    await cut;
    // A browser may send the cut request again by itself, in vain: that is not to count.
    await until('it went on', () => offsets.length >= 2);
    await net.stopAfter(4 * MiB);
    assert.ok(offsets[1] > 0, offsets.join());
    // Its owner sees what comes.
    assert.deepEqual(
      (await uploads()).map((one) => [one.label, one.linkId]),
      [[file.name, link.id]],
    );
    await comeBack(page, net);
    const list = page.getByRole('region', { name: 'Your files' });
    await list.getByText(/^\S+ MB of 41\.9 MB have arrived\. Choose or drop this file again/).waitFor();
    await chooseFile();
    await list.getByText(`SHA-256 ${file.sha256}`).waitFor();
    await page.getByText('1 file has arrived').waitFor();
    assert.ok(offsets.at(-1) >= offsets[1], offsets.join());
    const [found] = await children(account, box.id);
    assert.deepEqual([found.name, found.size, found.sha256], [file.name, file.size, file.sha256]);
    assert.deepEqual(await uploads(), []);
    // Nothing is left to be gone on with.
    await page.reload();
    await page.getByRole('button', { name: 'Choose files' }).waitFor();
    assert.equal(await page.evaluate(() => localStorage.getItem('fm.drops')), '{}');
  } finally {
    net.end();
  }
});

journey('a small file goes in one request', async ({ page, account }) => {
  const file = large('small.bin', 7 * MiB);
  const asked = [];
  page.on('request', (request) => {
    if (/\/(uploads|children)\b/.test(request.url()) && ['PUT', 'POST', 'PATCH'].includes(request.method()))
      asked.push(request.method());
  });
  await signInBy(page, account, address);
  await pick(page, file);
  await entry(page, file.name).waitFor();
  assert.deepEqual(asked, ['PUT']);
});
