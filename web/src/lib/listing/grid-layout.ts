/**
 * How entries lie in rows: folders first, in rows of their own, then files. Every row but the last of each part is full.
 * A list is a grid with one column.
 */
export interface GridLayout {
  rows: number;
  folderRows: number;
  /** The row that holds an entry. */
  rowOf(index: number): number;
  /** The first entry of a row. */
  start(row: number): number;
  /** How many entries a row holds. */
  length(row: number): number;
}

export function gridLayout(total: number, folders: number, columns: number): GridLayout {
  const first = Math.min(folders, total);
  const folderRows = Math.ceil(first / columns);
  const rows = folderRows + Math.ceil((total - first) / columns);
  const start = (row: number) => (row < folderRows ? row * columns : first + (row - folderRows) * columns);
  return {
    rows,
    folderRows,
    rowOf: (index) =>
      index < first ? Math.floor(index / columns) : folderRows + Math.floor((index - first) / columns),
    start,
    length: (row) => Math.max(0, Math.min(columns, (row < folderRows ? first : total) - start(row))),
  };
}

/** The entry `by` rows below (above, if negative) another, in the same column or the last of a shorter row. */
export function vertical(layout: GridLayout, index: number, by: number): number {
  const from = layout.rowOf(index);
  const row = Math.min(layout.rows - 1, Math.max(0, from + by));
  if (row === from) return index;
  return layout.start(row) + Math.min(index - layout.start(from), layout.length(row) - 1);
}
