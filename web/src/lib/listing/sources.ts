import { type ChildrenQuery, listChildren, listRecents, listStarred, listTagged, listTrash } from '$lib/api/files';
import type { FileList } from '$lib/api/types';

/** Where a list comes from: any stretch of it at once (`offset`), or one page after another (`cursor`). */
export interface Source {
  /** The same key means the same list. */
  key: string;
  paged: 'offset' | 'cursor';
  /** How many of its entries are folders, where these come first. */
  folders?(): Promise<number>;
  page(at: { offset: number; cursor: string | null; limit: number }, signal: AbortSignal): Promise<Page>;
  /** It shows files of many folders. */
  gathered?: boolean;
}

/** `total` is missing where nobody counts. */
type Page = Pick<FileList, 'items' | 'nextCursor'> & { total?: number };

const from = (cursor: string | null, limit: number) => ({ ...(cursor ? { cursor } : {}), limit });

export function childrenOf(folder: string, query: Pick<ChildrenQuery, 'sort' | 'order' | 'type'>): Source {
  return {
    key: `children ${folder} ${query.sort ?? ''} ${query.order ?? ''} ${query.type ?? ''}`,
    paged: 'offset',
    folders: async () => (await listChildren(folder, { type: 'folder', limit: 1 })).total,
    page: ({ offset, limit }, signal) => listChildren(folder, { ...query, offset, limit }, signal),
  };
}

export const trash: Source = {
  key: 'trash',
  paged: 'cursor',
  page: ({ cursor, limit }, signal) => listTrash(from(cursor, limit), signal),
};

export const starred: Source = {
  key: 'starred',
  paged: 'cursor',
  gathered: true,
  page: ({ cursor, limit }, signal) => listStarred(from(cursor, limit), signal),
};

export const recents: Source = {
  key: 'recents',
  paged: 'cursor',
  gathered: true,
  page: ({ cursor, limit }, signal) => listRecents(from(cursor, limit), signal),
};

export const tagged = (tag: string): Source => ({
  key: `tagged ${tag}`,
  paged: 'cursor',
  gathered: true,
  page: ({ cursor, limit }, signal) => listTagged(tag, from(cursor, limit), signal),
});
