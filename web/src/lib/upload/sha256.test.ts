import { describe, expect, it } from 'vitest';
import { sha256 } from './sha256';

async function lent(body: Blob): Promise<string> {
  const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', await body.arrayBuffer()));
  return Array.from(hash, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

// The end takes a block of its own from 56 bytes on, and a part is a MiB.
const SIZES = [0, 1, 55, 56, 63, 64, 65, 119, 120, 1_048_576, 1_048_580];

describe('a hash of one’s own', () => {
  it.each(SIZES)('is that of the browser for %i bytes', async (size) => {
    const body = new Blob([Uint8Array.from({ length: size }, (_, at) => (at * 7 + (at >> 8)) % 251)]);
    expect(await sha256(body)).toBe(await lent(body));
  });
});
