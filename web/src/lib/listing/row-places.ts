/** Where rows lie, one below the other, in pixels from the beginning of the first. */
export interface RowPlaces {
  /** Of all of them. */
  size: number;
  /** Where a row begins. */
  start(row: number): number;
  /** The row at a place; the first or the last one for places before or behind them all. */
  at(place: number): number;
}

/** Rows of one size cost nothing, however many they are. Those of sizes of their own are added up once. */
export function rowPlaces(count: number, rowSize: number | ((row: number) => number)): RowPlaces {
  const inside = (row: number) => Math.max(0, Math.min(count - 1, row));
  if (typeof rowSize === 'number')
    return {
      size: count * rowSize,
      start: (row) => row * rowSize,
      at: (place) => inside(Math.floor(place / rowSize)),
    };
  const starts = new Float64Array(count + 1);
  for (let row = 0; row < count; row++) starts[row + 1] = (starts[row] ?? 0) + rowSize(row);
  return {
    size: starts[count] ?? 0,
    start: (row) => starts[row] ?? 0,
    at(place) {
      let [from, to] = [0, count];
      // The last row that does not begin behind the place.
      while (to - from > 1) {
        const middle = (from + to) >> 1;
        if ((starts[middle] ?? 0) <= place) from = middle;
        else to = middle;
      }
      return inside(from);
    },
  };
}
