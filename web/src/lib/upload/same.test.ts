import { afterEach, describe, expect, it, vi } from 'vitest';
import { isSame } from './same';

const sha256 = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad';
const abc = () => new globalThis.File(['abc'], 'a.txt', { lastModified: 1_700_000_000_000 });

afterEach(() => {
  vi.unstubAllGlobals();
});

describe('a file whose answer was lost', () => {
  it('is known again by its content', async () => {
    expect(await isSame(abc(), { size: 3, sha256 })).toBe(true);
    expect(await isSame(new Blob(['abd']), { size: 3, sha256 })).toBe(false);
    expect(await isSame(abc(), { size: 4, sha256 })).toBe(false);
  });

  it('is known on plain HTTP, too, where browsers lend no hashes', async () => {
    vi.stubGlobal('crypto', {});
    expect(await isSame(abc(), { size: 3, sha256 })).toBe(true);
    expect(await isSame(new Blob(['abd']), { size: 3, sha256 })).toBe(false);
  });

  it('is never taken for another one by its size and time alone', async () => {
    expect(await isSame(abc(), { size: 3, sha256: null })).toBeNull();
    const size = 65 * 1024 * 1024;
    expect(await isSame({ size } as Blob, { size, sha256 })).toBeNull();
  });
});
