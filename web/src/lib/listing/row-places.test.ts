import { describe, expect, it } from 'vitest';
import { rowPlaces } from './row-places';

describe('places of rows', () => {
  it('are the same for one size and for as many sizes that are alike', () => {
    const one = rowPlaces(50, 44);
    const each = rowPlaces(50, () => 44);
    expect([one.size, each.size]).toEqual([2200, 2200]);
    for (let place = -100; place < 2400; place += 7) expect(each.at(place), `${place}`).toBe(one.at(place));
    for (let row = 0; row <= 50; row++) expect(each.start(row)).toBe(one.start(row));
  });

  it('are found where sizes differ', () => {
    const places = rowPlaces(4, (row) => [10, 100, 5, 30][row] ?? 0);
    expect(places.size).toBe(145);
    expect([-1, 0, 9, 10, 109, 110, 114, 115, 144, 145, 1000].map((place) => places.at(place))).toEqual([
      0, 0, 0, 1, 1, 2, 2, 3, 3, 3, 3,
    ]);
  });

  it('of nothing are nowhere', () => {
    for (const size of [44, () => 44]) {
      const places = rowPlaces(0, size);
      expect([places.size, places.start(0), places.at(10)]).toEqual([0, 0, 0]);
    }
  });
});
