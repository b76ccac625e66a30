import { describe, expect, it } from 'vitest';
import { isOwn, isSame } from './same';

const sha256 = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad';
const abc = () => new globalThis.File(['abc'], 'a.txt', { lastModified: 1_700_000_000_000 });

describe('a file whose answer was lost', () => {
  it('is known again by its content', async () => {
    expect(await isSame(abc(), { size: 3, sha256 })).toBe(true);
    expect(await isSame(new Blob(['abd']), { size: 3, sha256 })).toBe(false);
    expect(await isSame(abc(), { size: 4, sha256 })).toBe(false);
  });

  it('is known by its size and time where no hash can be had, and never by its size alone', async () => {
    const there = { size: 3, sha256: null, contentModifiedAt: '2023-11-14T22:13:20.000Z' };
    expect(await isOwn(abc(), there)).toBe(true);
    expect(await isOwn(abc(), { ...there, contentModifiedAt: null })).toBe(false);
    expect(await isOwn(abc(), { ...there, contentModifiedAt: '2023-11-14T22:13:21.000Z' })).toBe(false);
    expect(await isOwn(abc(), { ...there, sha256: 'a'.repeat(64) })).toBe(false);
  });
});
