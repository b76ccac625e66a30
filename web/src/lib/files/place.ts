import type { File } from '$lib/api/types';
import { hrefs } from '$lib/state/router.svelte';

/** Where a file is shown: a folder itself, anything else in the viewer, at the place where it lies. */
export function placeOf(file: Pick<File, 'id' | 'name' | 'type' | 'parentId' | 'trashedAt'>): string {
  if (file.trashedAt) return `${hrefs.trash()}?view=${file.id}`;
  if (file.type === 'folder') return hrefs.folder(file.name === '' ? 'root' : file.id);
  return `${hrefs.folder(file.parentId ?? 'root')}?view=${file.id}`;
}
