import { describe, expect, it } from 'vitest';
import { clampIndex, columnsFor, layPage, pagesFor, unchanged } from './pages';

describe('pagesFor', () => {
  it.each([
    [0, 10, 1000, [0]],
    [0, 100, 1000, [0]],
    [0, 101, 1000, [0, 1]],
    [99, 101, 1000, [0, 1]],
    [100, 200, 1000, [1]],
    [950, 5000, 1000, [9]],
    [-20, 5, 1000, [0]],
    [99_990, 100_010, 100_000, [999]],
    [5, 5, 1000, []],
    [0, 10, 0, []],
    [40, 60, 20, []],
  ])('%i to %i of %i', (start, end, total, pages) => {
    expect(pagesFor(start, end, total, 100)).toEqual(pages);
  });
});

describe('unchanged', () => {
  it('keeps what is as it was, wherever it stands now, and takes what is not', () => {
    const [a, b] = [
      { id: 'a', tags: ['x'] },
      { id: 'b', tags: [] as string[] },
    ];
    const read = [
      { id: 'b', tags: ['new'] },
      { id: 'a', tags: ['x'] },
      { id: 'c', tags: [] },
    ];
    const kept = unchanged([undefined, a, b], read);
    expect(kept).toEqual(read);
    expect(kept[1]).toBe(a);
    expect(kept[0]).not.toBe(b);
  });
});

describe('layPage', () => {
  it('fills a part and leaves holes', () => {
    expect(layPage([], ['c', 'd'], 2, 5)).toEqual([undefined, undefined, 'c', 'd', undefined]);
  });
  it('follows a shrinking list', () => {
    expect(layPage(['a', 'b', 'c'], ['x'], 0, 1)).toEqual(['x']);
  });
  it('never writes past the total', () => {
    expect(layPage(['a'], ['b', 'c'], 1, 2)).toEqual(['a', 'b']);
  });
  it('leaves its argument alone', () => {
    const items = ['a', 'b'];
    layPage(items, ['z'], 0, 2);
    expect(items).toEqual(['a', 'b']);
  });
});

describe('clampIndex', () => {
  it('stays inside', () => {
    expect([clampIndex(-3, 5), clampIndex(9, 5), clampIndex(2, 5), clampIndex(0, 0)]).toEqual([0, 4, 2, -1]);
  });
});

describe('columnsFor', () => {
  it('counts what fits with gaps', () => {
    expect([columnsFor(100, 200, 16), columnsFor(416, 200, 16), columnsFor(415, 200, 16)]).toEqual([1, 2, 1]);
  });
});
