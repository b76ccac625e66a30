import type { File } from '$lib/api/types';

/** The files before and after one in a list, as far as it is loaded; folders are passed over. */
export function neighbours(items: readonly (File | undefined)[], index: number): { previous?: File; next?: File } {
  if (index < 0) return {};
  const seek = (by: 1 | -1): File | undefined => {
    for (let at = index + by; at >= 0 && at < items.length; at += by) {
      const file = items[at];
      if (!file || file.type === 'file') return file;
    }
    return undefined;
  };
  return { previous: seek(-1), next: seek(1) };
}
