import { describe, expect, it } from 'vitest';
import { gridLayout, vertical } from './grid-layout';

describe('gridLayout', () => {
  it('gives folders and files rows of their own', () => {
    const layout = gridLayout(11, 5, 4);
    expect(layout.rows).toBe(4);
    expect([0, 1, 2, 3].map((row) => [layout.start(row), layout.length(row)])).toEqual([
      [0, 4],
      [4, 1],
      [5, 4],
      [9, 2],
    ]);
    expect([0, 3, 4, 5, 8, 9, 10].map(layout.rowOf)).toEqual([0, 0, 1, 2, 2, 3, 3]);
  });

  it.each([
    [0, 0, 3, 0],
    [6, 0, 3, 2],
    [6, 6, 3, 2],
    [5, 9, 1, 5],
    [100_000, 1, 6, 16_668],
  ])('%i entries, %i of them folders, %i columns: %i rows', (total, folders, columns, rows) => {
    expect(gridLayout(total, folders, columns).rows).toBe(rows);
  });

  it('finds every entry in exactly one row', () => {
    for (const [total, folders, columns] of [
      [17, 5, 4],
      [8, 8, 3],
      [7, 0, 2],
      [9, 1, 9],
    ] as const) {
      const layout = gridLayout(total, folders, columns);
      const seen: number[] = [];
      for (let row = 0; row < layout.rows; row++) {
        for (let i = 0; i < layout.length(row); i++) {
          expect(layout.rowOf(layout.start(row) + i)).toBe(row);
          seen.push(layout.start(row) + i);
        }
      }
      expect(seen).toEqual(Array.from({ length: total }, (_, index) => index));
    }
  });
});

describe('vertical', () => {
  const layout = gridLayout(11, 5, 4);
  it('keeps the column, or ends at a shorter row', () => {
    expect(vertical(layout, 1, 1)).toBe(4);
    expect(vertical(layout, 4, 1)).toBe(5);
    expect(vertical(layout, 7, -1)).toBe(4);
    expect(vertical(layout, 6, 1)).toBe(10);
    expect(vertical(layout, 8, 1)).toBe(10);
  });
  it('stops at both ends', () => {
    expect(vertical(layout, 2, -1)).toBe(2);
    expect(vertical(layout, 10, 1)).toBe(10);
    expect(vertical(layout, 9, -50)).toBe(0);
    expect(vertical(layout, 0, 50)).toBe(9);
  });
});
