/** Entries asked for at once while scrolling. */
export const PAGE_SIZE = 100;

/** The numbers of the pages that hold the entries `start` to `end` (exclusive), within `total`. */
export function pagesFor(start: number, end: number, total: number, size: number = PAGE_SIZE): number[] {
  const from = Math.max(0, start);
  const to = Math.min(end, total);
  if (to <= from) return [];
  const first = Math.floor(from / size);
  const last = Math.floor((to - 1) / size);
  return Array.from({ length: last - first + 1 }, (_, i) => first + i);
}

/** `items` with `page` laid over it at `offset`, its length brought to `total`. Never changes `items`. */
export function layPage<T>(
  items: readonly (T | undefined)[],
  page: readonly T[],
  offset: number,
  total: number,
): (T | undefined)[] {
  const next = items.slice(0, total);
  next.length = total;
  for (let i = 0; i < page.length && offset + i < total; i++) next[offset + i] = page[i];
  return next;
}

/** A page as it was read, in which whatever is as it was before is the same object: who looks at it is not disturbed. */
export function unchanged<T extends { id: string }>(items: readonly (T | undefined)[], page: readonly T[]): T[] {
  const before = new Map<string, T>();
  for (const item of items) if (item) before.set(item.id, item);
  return page.map((item) => {
    const known = before.get(item.id);
    return known && JSON.stringify(known) === JSON.stringify(item) ? known : item;
  });
}

/** Puts an index into the bounds of a list; -1 for an empty one. */
export function clampIndex(index: number, total: number): number {
  return total === 0 ? -1 : Math.min(Math.max(0, index), total - 1);
}

/** How many columns of at least `min` pixels fit into `width` with `gap` between them. */
export function columnsFor(width: number, min: number, gap: number): number {
  return Math.max(1, Math.floor((width + gap) / (min + gap)));
}
