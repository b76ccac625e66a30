import { answerOf, client } from './client';
import type { ChildrenQuery } from './files';
import type { File, FileList, PublicFile, PublicLink } from './types';
import { publicUrl, segment } from './urls';

/** Calls of a visitor who has nothing but a link. */

const at = (token: string) => ({ path: { token } });

/** The link and what it leads to. Without an id it counts as an opening. */
export function openLink(token: string, id: string | null, signal?: AbortSignal): Promise<PublicLink> {
  const query = id ? { id } : {};
  return answerOf(client.GET('/api/v1/public/{token}', { params: { ...at(token), query }, signal }));
}

export function unlockLink(token: string, password: string): Promise<unknown> {
  return answerOf(client.POST('/api/v1/public/{token}/unlock', { params: at(token), body: { password } }));
}

export async function listPublic(
  token: string,
  id: string | null,
  query: ChildrenQuery,
  signal?: AbortSignal,
): Promise<FileList> {
  const list = await answerOf(
    client.GET('/api/v1/public/{token}/children', {
      params: { ...at(token), query: { ...query, ...(id ? { id } : {}) } },
      signal,
    }),
  );
  return { ...list, items: list.items.map(asFile) };
}

/** What a visitor is told of a file, as other parts of the page know files; what they are not told stays empty. */
export function asFile(file: PublicFile): File {
  return {
    ...file,
    spaceId: '',
    ownerId: '',
    createdAt: '',
    contentModifiedAt: null,
    etag: '',
    isPublic: false,
    trashedAt: null,
    role: 'viewer',
    shared: false,
    linked: false,
    starred: false,
    tags: [],
  };
}

/** Where a visitor's file goes. */
export function dropUrl(token: string, folder: string | null, file: globalThis.File, onConflict: string): string {
  const query = new URLSearchParams({ onConflict });
  if (folder) query.set('id', folder);
  if (file.lastModified) query.set('modifiedAt', new Date(file.lastModified).toISOString());
  return `${publicUrl(token)}/children/${segment(file.name)}/content?${query}`;
}
