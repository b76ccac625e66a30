// Says what a browser fetches of the finished page before its list, and its sign-in, can be used: what index.html names, what that imports, the
// texts of each language, and the heads of the answers. Parts that the page itself has come later are not in it: the journey `browse` sees to it in a browser
// that they do. Fails above the budget, so that it can stand in a check.
import { readdirSync, readFileSync } from 'node:fs';
import { brotliCompressSync, gzipSync } from 'node:zlib';

const BUDGET_BYTES = 100 * 1000;
/** What the head of an answer weighs, about. */
const HEAD_BYTES = 450;
/** What is fetched beside the first pieces, by the names of its chunks. */
const SIGHTS = { list: [], 'sign-in': ['Gate', '{language}-auth'] };
const LANGUAGES = ['en', 'de'];

const dist = new URL('../dist/', import.meta.url);
const assets = readdirSync(new URL('assets/', dist));
const read = (name) => readFileSync(new URL(name, dist));
const HASH = /-[\w-]{8}\.(js|css)$/;

/** The built script and style of a part, of which some have one only, and English texts of the first sight none. */
const filesOf = (part) => assets.filter((name) => HASH.test(name) && name.replace(HASH, '') === part);

/** A script and all that it imports at once. */
function closure(name, found = new Set()) {
  if (found.has(name)) return found;
  found.add(name);
  if (!name.endsWith('.js')) return found;
  const text = read(`assets/${name}`).toString();
  for (const [, imported] of text.matchAll(/(?:\bfrom|\bimport)\s*["'`]\.\/([\w.-]+\.js)["'`]/g)) {
    closure(imported, found);
    // A part's style comes with it.
    for (const style of filesOf(imported.replace(HASH, ''))) if (style.endsWith('.css')) found.add(style);
  }
  return found;
}

const html = read('index.html');
const named = [...html.toString().matchAll(/(?:src|href)="\/assets\/([^"]+)"/g)]
  .map((match) => match[1])
  // Fetched by whoever puts the page on the first screen of a device.
  .filter((name) => !name.endsWith('.png'));

let worst = 0;
for (const [sight, parts] of Object.entries(SIGHTS))
  for (const language of LANGUAGES) {
    const wanted = [language, ...parts].map((part) => part.replace('{language}', language)).flatMap(filesOf);
    const files = new Set();
    for (const name of [...named, ...wanted]) for (const one of closure(name)) files.add(one);
    const all = [html, ...[...files].map((name) => read(`assets/${name}`))];
    const heads = HEAD_BYTES * all.length;
    const gzip = heads + all.reduce((sum, bytes) => sum + gzipSync(bytes, { level: 9 }).length, 0);
    const brotli = heads + all.reduce((sum, bytes) => sum + brotliCompressSync(bytes).length, 0);
    worst = Math.max(worst, gzip);
    if (process.argv.includes('--files')) process.stdout.write(`${[...files].join('\n')}\n`);
    process.stdout.write(
      `first load: ${sight}, ${language}: ${all.length} files, ${gzip} bytes by gzip, ${brotli} by brotli, of ${BUDGET_BYTES}\n`,
    );
  }
process.exitCode = worst > BUDGET_BYTES ? 1 : 0;
