import { getFile } from '$lib/api/files';
import type { Upload } from '$lib/api/types';
import { t } from '$lib/i18n';
import { load, save } from '$lib/state/local';
import { type FileHandle, forgetHandle, keepHandle, keptHandle, uploadsWithHandle } from './handles';
import { listUploads } from './resumable';
import { Tabs } from './tabs';

/** Uploads of one's own that nobody goes on with: what was left when a page was closed, reloaded or lost. */

export interface Unfinished {
  uploadId: string;
  name: string;
  folderId: string;
  folderName: string;
  size: number;
  sent: number;
  /** Which version of the file was begun, if this browser did; in milliseconds. */
  lastModified: number | undefined;
  /** By which the browser finds the file again. */
  handle: FileHandle | undefined;
}

let tabs: Tabs | null = null;

/** Tells other tabs from now on which uploads are on their way in this one, and finds out which are in none. */
export async function recall(userId: string, mine: () => string[]): Promise<Unfinished[]> {
  tabs?.close();
  tabs = new Tabs(`fm-uploads-${userId}`, mine);
  // Before the question, so that an upload which begins meanwhile is not taken for one that is over.
  const before = {
    versions: load<Record<string, number>>('uploads', {}),
    handles: await uploadsWithHandle().catch(() => []),
  };
  const [uploads, elsewhere] = await Promise.all([listUploads(), tabs.others()]);
  const ids = new Set(uploads.map((one) => one.id));
  const over = (id: string) => !ids.has(id);
  await forget(Object.keys(before.versions).filter(over), before.handles.filter(over));
  const known = new Set(mine());
  return placed(uploads.filter((one) => !elsewhere.has(one.id) && !known.has(one.id) && one.length !== null));
}

/** Each with the folder that it goes to; one whose folder may not be known any more is shown all the same. */
async function placed(uploads: Upload[]): Promise<Unfinished[]> {
  const ids = [...new Set(uploads.map((one) => one.folderId))];
  const folders = await Promise.allSettled(ids.map((id) => getFile(id)));
  const found = new Map(folders.flatMap((one) => (one.status === 'fulfilled' ? [[one.value.id, one.value]] : [])));
  const remembered = load<Record<string, number>>('uploads', {});
  const handles = await Promise.all(uploads.map((one) => keptHandle(one.id).catch(() => undefined)));
  return uploads.map((one, at) => {
    const folder = found.get(one.folderId);
    // One's own root folder goes by its name everywhere in the page.
    const root = folder?.name === '';
    return {
      uploadId: one.id,
      name: one.name ?? '',
      folderId: root ? 'root' : one.folderId,
      folderName: root ? t('place.files') : (folder?.name ?? ''),
      size: one.length ?? 0,
      sent: one.offset,
      lastModified: remembered[one.id],
      handle: handles[at],
    };
  });
}

/** Remembers of an upload which version of its file was begun, so that the same one is known again. */
export async function remember(id: string, lastModified: number, handle?: Promise<FileHandle | null>): Promise<void> {
  save('uploads', { ...load<Record<string, number>>('uploads', {}), [id]: lastModified });
  const found = await handle;
  // A browser that refuses to keep it asks for the file again.
  if (found) await keepHandle(id, found).catch(() => {});
}

/** Forgets uploads that are over: the versions of their files, and their handles. */
async function forget(versions: string[], handles: string[]): Promise<void> {
  const all = load<Record<string, number>>('uploads', {});
  save('uploads', Object.fromEntries(Object.entries(all).filter(([id]) => !versions.includes(id))));
  await Promise.all(handles.map((id) => forgetHandle(id).catch(() => {})));
}
