// What an authenticator app does (RFC 6238): six digits of SHA-1, new ones each thirty seconds.
import { createHmac } from 'node:crypto';
import { until } from './product.mjs';

const STEP_MS = 30_000;
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

function bytesOf(secret) {
  let bits = '';
  for (const letter of secret.replace(/\s/g, '')) bits += ALPHABET.indexOf(letter).toString(2).padStart(5, '0');
  return Buffer.from(bits.match(/.{8}/g).map((byte) => Number.parseInt(byte, 2)));
}

function codeOf(secret, step) {
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(step));
  const hash = createHmac('sha1', bytesOf(secret)).update(counter).digest();
  const number = hash.readUInt32BE(hash[19] & 15) & 0x7fffffff;
  return String(number % 1_000_000).padStart(6, '0');
}

/** An app with a secret. Each code that it gives is a new one, for which it waits if need be: none works twice. */
export function app(secret) {
  let last = 0;
  return async () => {
    // The product takes a code of the step to come, as clocks differ; so none has to be waited for twice in a row.
    const step = await until(
      'the app shows another code',
      () => {
        const now = Math.floor(Date.now() / STEP_MS);
        return now + 1 > last && Math.max(now, last + 1);
      },
      2 * STEP_MS,
    );
    last = step;
    return codeOf(secret, step);
  };
}

/** One that no app shows. */
export const wrongCode = (right) => String((Number(right) + 1) % 1_000_000).padStart(6, '0');
