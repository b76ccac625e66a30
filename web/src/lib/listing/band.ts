import type { GridLayout } from './grid-layout';

/** A rectangle in pixels, from the beginning of the first row. */
export interface Box {
  left: number;
  top: number;
  right: number;
  bottom: number;
}

export interface Places {
  layout: GridLayout;
  columns: number;
  /** Pixels of a row, its gap included, in the part of folders and in that of files. */
  folderSize: number;
  fileSize: number;
  columnWidth: number;
  gap: number;
  /** Right to left: the first column lies at the right. */
  mirrored: boolean;
  width: number;
}

/** The entries that a rectangle touches, by their numbers, in order. Worked out from their places: most are not drawn. */
export function touched(box: Box, places: Places): number[] {
  const { layout, columns, folderSize, fileSize, columnWidth, gap, mirrored, width } = places;
  const found: number[] = [];
  const [left, right] = mirrored ? [width - box.right, width - box.left] : [box.left, box.right];
  const step = columnWidth + gap;
  const firstColumn = Math.max(0, Math.ceil((left - columnWidth) / step));
  const lastColumn = Math.min(columns - 1, Math.floor(right / step));
  const topOf = (row: number) =>
    row < layout.folderRows ? row * folderSize : layout.folderRows * folderSize + (row - layout.folderRows) * fileSize;
  const rowAt = (y: number) => {
    const border = layout.folderRows * folderSize;
    return y < border ? Math.floor(y / folderSize) : layout.folderRows + Math.floor((y - border) / fileSize);
  };
  const firstRow = Math.max(0, rowAt(Math.max(0, box.top)));
  const lastRow = Math.min(layout.rows - 1, rowAt(box.bottom));
  if (box.bottom < 0) return found;
  for (let row = firstRow; row <= lastRow; row++) {
    const height = (row < layout.folderRows ? folderSize : fileSize) - gap;
    if (topOf(row) + height < box.top) continue;
    const start = layout.start(row);
    const last = Math.min(lastColumn, layout.length(row) - 1);
    for (let column = firstColumn; column <= last; column++) found.push(start + column);
  }
  return found;
}
