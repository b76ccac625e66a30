import { describe, expect, it } from 'vitest';
import { type Places, touched } from './band';
import { gridLayout } from './grid-layout';

// 3 folders and 5 files in 2 columns of 100 with a gap of 10: rows 0-1 of 40 for folders, rows 2-4 of 110 for files.
const places: Places = {
  layout: gridLayout(8, 3, 2),
  columns: 2,
  folderSize: 40,
  fileSize: 110,
  columnWidth: 100,
  gap: 10,
  mirrored: false,
  width: 210,
};
const box = (left: number, top: number, right: number, bottom: number) => ({ left, top, right, bottom });

describe('touched', () => {
  it('finds what a rectangle lies over', () => {
    expect(touched(box(50, 5, 60, 6), places)).toEqual([0]);
    expect(touched(box(50, 5, 150, 6), places)).toEqual([0, 1]);
    expect(touched(box(50, 5, 60, 100), places)).toEqual([0, 2, 3]);
    expect(touched(box(0, 0, 210, 1000), places)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  });
  it('passes over gaps and what is empty', () => {
    expect(touched(box(102, 5, 108, 6), places)).toEqual([]);
    expect(touched(box(50, 32, 60, 38), places)).toEqual([]);
    // The second place of the last row of folders holds nothing.
    expect(touched(box(150, 45, 160, 50), places)).toEqual([]);
    expect(touched(box(0, -50, 210, -10), places)).toEqual([]);
    expect(touched(box(0, 5000, 210, 6000), places)).toEqual([]);
  });
  it('is turned round from right to left', () => {
    expect(touched(box(50, 5, 60, 6), { ...places, mirrored: true })).toEqual([1]);
  });
  it('is as quick in a large list', () => {
    const large = { ...places, layout: gridLayout(100_000, 0, 1), columns: 1 };
    expect(touched(box(0, 1_000_000, 10, 1_000_200), large)).toEqual([9090, 9091, 9092]);
  });
});
