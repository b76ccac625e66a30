import type { File } from '$lib/api/types';

/** The files before and after one in a list, as far as it is loaded; folders are passed over. */
export function neighbours(items: readonly (File | undefined)[], index: number): { previous?: File; next?: File } {
  return { previous: nearest(items, index, -1), next: nearest(items, index, 1) };
}

/** The nearest file of some kind before (`by` -1) or after (1) one; none if what comes there is not loaded yet. */
export function nearest(
  items: readonly (File | undefined)[],
  index: number,
  by: 1 | -1,
  wanted: (file: File) => boolean = (file) => file.type === 'file',
): File | undefined {
  if (index < 0) return undefined;
  for (let at = index + by; at >= 0 && at < items.length; at += by) {
    const file = items[at];
    if (!file || wanted(file)) return file;
  }
  return undefined;
}

/** The same around the place where a file stood that has left the list: what followed has come there. */
export function besides(items: readonly (File | undefined)[], at: number): { previous?: File; next?: File } {
  const here = items[at];
  const next = here?.type === 'folder' ? nearest(items, at, 1) : here;
  return { previous: nearest(items, at, -1), next };
}
