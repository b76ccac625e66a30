import { describe, expect, it } from 'vitest';
import { ApiError } from '$lib/api/problem';
import { bundled, fileOf, sentOfEach } from './bundle';
import { blank, type Item } from './queue';

const KIB = 1024;
const item = (size: number, more: Partial<Item> = {}): Item => ({
  ...blank,
  id: 0,
  name: 'a',
  folderId: 'root',
  folderName: '',
  size,
  ...more,
});
const many = (count: number, size: number) => Array.from({ length: count }, () => item(size));

describe('what goes in one request', () => {
  it('is shared by all lines, and ends at a hundred files or a mebibyte', () => {
    expect(bundled(many(9, KIB), 3)).toBe(3);
    expect(bundled(many(10, KIB), 3)).toBe(4);
    expect(bundled(many(2, KIB), 3)).toBe(1);
    expect(bundled(many(1000, KIB), 3)).toBe(100);
    expect(bundled(many(1000, 64 * KIB), 3)).toBe(16);
    expect(bundled([], 3)).toBe(0);
  });

  it('is small, of one folder, and met by a repetition of itself', () => {
    const last = (more: Partial<Item>, size = KIB) => bundled([...many(2, KIB), item(size, more), item(KIB)], 1);
    expect(last({})).toBe(4);
    expect(last({}, 64 * KIB + 1)).toBe(2);
    expect(last({ path: 'below' })).toBe(2);
    expect(last({ folderId: 'other' })).toBe(2);
    expect(last({ onConflict: 'replace' })).toBe(2);
    expect(last({ uploadId: 'begun' })).toBe(2);
    for (const onConflict of ['rename', 'replace'] as const)
      expect(bundled([item(KIB, { onConflict }), item(KIB, { onConflict })], 1)).toBe(1);
    expect(bundled([item(65 * KIB), item(KIB)], 1)).toBe(1);
  });
});

describe('the bytes that have left', () => {
  it('are those of the first files first', () => {
    expect(sentOfEach([1000, 0, 3000, 6000], 0)).toEqual([0, 0, 0, 0]);
    expect(sentOfEach([1000, 0, 3000, 6000], 0.25)).toEqual([1000, 0, 700, 0]);
    expect(sentOfEach([1000, 0, 3000, 6000], 1)).toEqual([1000, 0, 3000, 6000]);
    // The first is out long before half of the bytes of all files are.
    expect(sentOfEach([60_000, ...Array(99).fill(10)], 0.6)[0]).toBe(60_000);
  });
});

describe('an outcome', () => {
  it('is a file, or says why there is none', () => {
    expect(fileOf({ id: 'a' })).toEqual({ id: 'a' });
    expect(() => fileOf(new ApiError('product', 409, 'name_taken', ''))).toThrow(ApiError);
    expect(() => fileOf(undefined)).toThrow(ApiError);
  });

  it('that never came can be sent again, and is no sign that the line is lost', () => {
    try {
      fileOf(undefined);
      expect.unreachable();
    } catch (thrown) {
      const { passing, cause } = thrown as ApiError;
      expect([passing, cause]).toEqual([true, 'hop']);
    }
  });
});
