import { getFile } from '$lib/api/files';
import type { Upload } from '$lib/api/types';
import { t } from '$lib/i18n';
import { load, save } from '$lib/state/local';
import { session } from '$lib/state/session.svelte';
import { type FileHandle, forgetHandle, keepHandle, keptHandle, uploadsWithHandle } from './handles';
import { listUploads, showUpload } from './resumable';
import { Tabs } from './tabs';

/** Uploads of one's own that nobody goes on with: what was left when a page was closed, reloaded or lost. */

export interface Unfinished {
  uploadId: string;
  name: string;
  folderId: string;
  folderName: string;
  size: number;
  sent: number;
  /** Which version of the file was begun, if this browser did; in milliseconds. Without it another device has begun it. */
  lastModified: number | undefined;
  /** By which the browser finds the file again. */
  handle: FileHandle | undefined;
}

/** Somebody sending is seen within this time: the product notes every two seconds how much has come. */
const MOVES_MS = 3000;

let tabs: Tabs | null = null;

/** The versions of files of which somebody's uploads were begun in this browser, by the id of the upload. */
type Versions = Record<string, number>;
const keyOf = (userId: string) => `uploads-${userId}`;
const versionsOf = (userId: string): Versions => load<Versions>(keyOf(userId), {});

/** Tells other tabs from now on which uploads are on their way in this one, and finds out which are in none. */
export async function recall(userId: string, mine: () => string[]): Promise<Unfinished[]> {
  tabs?.close();
  tabs = new Tabs(`fm-uploads-${userId}`, mine);
  // Before the question, so that an upload which begins meanwhile is not taken for one that is over.
  const before = {
    versions: versionsOf(userId),
    handles: await uploadsWithHandle().catch(() => []),
  };
  const [uploads, elsewhere] = await Promise.all([listUploads(), tabs.others()]);
  const ids = new Set(uploads.map((one) => one.id));
  // What is not listed is over if it was this account's: others keep theirs in this browser, too.
  const over = new Set(Object.keys(before.versions).filter((id) => !ids.has(id)));
  await forget(
    userId,
    over,
    before.handles.filter((id) => over.has(id)),
  );
  const known = new Set(mine());
  return placed(
    userId,
    uploads.filter((one) => !elsewhere.has(one.id) && !known.has(one.id) && one.length !== null),
  );
}

/** Each with the folder that it goes to; one whose folder may not be known any more is shown all the same. */
async function placed(userId: string, uploads: Upload[]): Promise<Unfinished[]> {
  const ids = [...new Set(uploads.map((one) => one.folderId))];
  const folders = await Promise.allSettled(ids.map((id) => getFile(id)));
  const found = new Map(folders.flatMap((one) => (one.status === 'fulfilled' ? [[one.value.id, one.value]] : [])));
  const remembered = versionsOf(userId);
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
  const userId = session.user?.id ?? '';
  save(keyOf(userId), { ...versionsOf(userId), [id]: lastModified });
  const found = await handle;
  // A browser that refuses to keep it asks for the file again.
  if (found) await keepHandle(id, found).catch(() => {});
}

/** Whether somebody is sending to an upload right now, or has just finished it. Takes some seconds. */
export async function moves(id: string): Promise<boolean> {
  const before = await showUpload(id);
  if (!before) return false;
  await new Promise((resume) => setTimeout(resume, MOVES_MS));
  const now = await showUpload(id);
  return !now || now.offset !== before.offset || now.state !== before.state;
}

/** Forgets uploads that are over: the versions of their files, and their handles. */
async function forget(userId: string, versions: ReadonlySet<string>, handles: string[]): Promise<void> {
  const kept = Object.entries(versionsOf(userId)).filter(([id]) => !versions.has(id));
  save(keyOf(userId), Object.fromEntries(kept));
  await Promise.all(handles.map((id) => forgetHandle(id).catch(() => {})));
}
