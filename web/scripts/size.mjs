// Says how much the first load weighs, compressed: what index.html names, and nothing that is loaded later.
// Fails above the budget, so that it can stand in a check.
import { readFileSync } from 'node:fs';
import { brotliCompressSync, gzipSync } from 'node:zlib';

const BUDGET_BYTES = 100 * 1000;
const dist = new URL('../dist/', import.meta.url);
const html = readFileSync(new URL('index.html', dist));
const named = [...html.toString().matchAll(/(?:src|href)="\/([^"]+)"/g)].map((match) => match[1]);

let gzip = gzipSync(html).length;
let brotli = brotliCompressSync(html).length;
for (const name of named) {
  const bytes = readFileSync(new URL(name, dist));
  gzip += gzipSync(bytes, { level: 9 }).length;
  brotli += brotliCompressSync(bytes).length;
}
process.stdout.write(
  `first load: ${named.length + 1} files, ${gzip} bytes by gzip, ${brotli} by brotli, of ${BUDGET_BYTES}\n`,
);
process.exitCode = gzip > BUDGET_BYTES ? 1 : 0;
