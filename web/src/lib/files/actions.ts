import { explain } from '$lib/api/explain';
import * as api from '$lib/api/files';
import { asApiError } from '$lib/api/problem';
import type { Change, File } from '$lib/api/types';
import { downloadUrl, MOST_IN_ARCHIVE, visit } from '$lib/api/urls';
import { t } from '$lib/i18n';
import { filesChanged, folderChanged, gatheredChanged, type Listing, trashChanged } from '$lib/listing/listing.svelte';
import { announcer } from '$lib/state/announce.svelte';
import { dialogs } from '$lib/state/dialogs.svelte';
import { toasts } from '$lib/state/toasts.svelte';
import { doneQuietly, doneWithUndo, type Partly, undoable, whoActs } from '$lib/state/undo';
import { usage } from '$lib/state/usage.svelte';
import { backOf, changeAll, type Outcome, takeBack } from './batch';
import { named, tell, tellBack, tellFailed } from './tell';

const without = (gone: Set<string>) => (items: (File | undefined)[]) =>
  items.filter((file) => !file || !gone.has(file.id));
const idsOf = (files: File[]) => new Set(files.map((file) => file.id));
const parentsOf = (files: File[]) => [...new Set(files.map((file) => file.parentId)), 'root'];

/** Takes files out of a list at once, and changes them meanwhile. */
async function takeOut(
  listing: Listing,
  files: File[],
  label: string,
  change: (file: File) => Change,
): Promise<Outcome> {
  return listing.change(without(idsOf(files)), () => changeAll(files, label, change));
}

const trashing = ({ id }: File): Change => ({ op: 'trash', id });
const restoring = ({ id }: File): Change => ({ op: 'restore', id });

/** Brings back from the trash what was put there. */
async function putBack(trashed: Outcome): Promise<Partly | undefined> {
  const { done } = trashed;
  const back = await takeBack(trashed, t('act.restoring', { count: done.length }), restoring);
  // A list of the root folder may be known by its name instead of its id.
  folderChanged(...parentsOf([...done, ...back.now]));
  trashChanged();
  usage.changed();
  return tellBack(back, putBack);
}

async function trashUnlisted(files: File[]): Promise<Outcome> {
  const outcome = await changeAll(files, t('act.trashing', { count: files.length }), trashing);
  folderChanged(...parentsOf(files));
  trashChanged();
  usage.changed();
  return outcome;
}

/** Puts files into the trash without saying so, as the way back from something that made them. */
export async function throwAway(files: File[]): Promise<Partly | undefined> {
  return tellBack(backOf(await trashUnlisted(files)), ({ done }) => throwAway(done));
}

/** Puts a file into the trash that is in no list at hand; false if that did not work. */
export const trashOne = undoable(async (file: File): Promise<boolean> => {
  const outcome = await trashUnlisted([file]);
  tell(
    outcome,
    (done) => t('act.trashed', named(done)),
    () => putBack(outcome),
  );
  return outcome.failed.length === 0;
});

export const trashFiles = undoable(async (listing: Listing, files: File[]): Promise<void> => {
  if (files.length === 0) return;
  const outcome = await takeOut(listing, files, t('act.trashing', { count: files.length }), trashing);
  trashChanged();
  if (listing.source.gathered) folderChanged(...parentsOf(files));
  else gatheredChanged();
  usage.changed();
  tell(
    outcome,
    (done) => t('act.trashed', named(done)),
    () => putBack(outcome),
  );
});

export const restoreFiles = undoable(async (listing: Listing, files: File[]): Promise<void> => {
  if (files.length === 0) return;
  const outcome = await takeOut(listing, files, t('act.restoring', { count: files.length }), restoring);
  folderChanged(...parentsOf(outcome.done));
  usage.changed();
  tell(
    outcome,
    (done) => t('act.restored', named(done)),
    () => throwAway(outcome.done),
  );
});

/** False if the reader thought better of it. */
export async function deleteForGood(listing: Listing, files: File[]): Promise<boolean> {
  if (files.length === 0) return false;
  const yes = await dialogs.confirm({
    title: t('delete.title', named(files)),
    text: t('delete.text'),
    act: t('delete.act'),
  });
  if (!yes) return false;
  const outcome = await takeOut(listing, files, t('act.deleting', { count: files.length }), ({ id }) => ({
    op: 'delete',
    id,
  }));
  usage.changed();
  tell(outcome, (done) => t('act.deleted', named(done)));
  return true;
}

export async function emptyTrash(listing: Listing): Promise<void> {
  const yes = await dialogs.confirm({
    title: t('trash.empty.title'),
    text: t('trash.empty.text', { count: listing.total ?? 0 }),
    act: t('trash.empty'),
  });
  if (!yes) return;
  const here = whoActs();
  try {
    await listing.change(
      () => [],
      () => api.emptyTrash(),
    );
    if (here()) toasts.show(t('trash.emptied'));
  } catch (thrown) {
    if (here()) toasts.error(explain(asApiError(thrown)));
  }
  usage.changed();
}

/** Throws what the server refused, so that the field can say it beside what was typed. */
export const renameFile = undoable(async (listing: Listing, file: File, name: string): Promise<void> => {
  const here = whoActs();
  const { data, operation } = await api.renameFile(file.id, name);
  filesChanged([data]);
  listing.refreshSoon();
  const undo = async () => {
    if (operation) filesChanged((await api.undoOperation(operation)).flatMap((result) => result.file ?? []));
    else filesChanged([(await api.renameFile(file.id, file.name)).data]);
    folderChanged(file.parentId, 'root');
  };
  doneWithUndo(t('act.renamed', { name }), undo, here);
});

export const moveFiles = undoable(
  async (listing: Listing | null, files: File[], to: { id: string; name: string }): Promise<void> => {
    if (files.length === 0) return;
    const label = t('act.moving', { count: files.length });
    const moving = ({ id }: File): Change => ({ op: 'move', id, parentId: to.id });
    // What is gathered from many folders stays where it is listed.
    const leaves = listing && !listing.source.gathered;
    const outcome = await (leaves ? takeOut(listing, files, label, moving) : changeAll(files, label, moving));
    const folders = [...parentsOf(files), to.id];
    filesChanged(outcome.now);
    folderChanged(...folders);
    const undo = async (moved: Outcome): Promise<Partly | undefined> => {
      const count = moved.done.length;
      const back = await takeBack(moved, t('act.moving', { count }), ({ id, parentId }) => ({
        op: 'move',
        id,
        parentId: parentId ?? 'root',
      }));
      folderChanged(...folders);
      return tellBack(back, undo);
    };
    tell(
      outcome,
      (done) => t('act.moved', { ...named(done), folder: to.name }),
      () => undo(outcome),
    );
  },
);

async function putStars(files: File[], on: (file: File) => boolean): Promise<Outcome> {
  filesChanged(files.map((file) => ({ ...file, starred: on(file) })));
  const outcome = await changeAll(files, t('star'), (file) => ({ op: 'star', id: file.id, starred: on(file) }));
  filesChanged(outcome.failed.map(({ file }) => file));
  gatheredChanged();
  return outcome;
}

/** Sets the reader's own star on files, or takes it off; shown at once. */
export const starFiles = undoable(async (files: File[], on: boolean): Promise<void> => {
  const other = files.filter((file) => file.starred !== on);
  if (other.length === 0) return;
  const outcome = await putStars(other, () => on);
  const text = (done: File[]) => t(on ? 'act.starred' : 'act.unstarred', named(done));
  const unset = async (files: File[]): Promise<Partly | undefined> =>
    tellBack(backOf(await putStars(files, () => !on)), ({ done }) => unset(done));
  const undo = () => unset(outcome.done);
  // A single star shows itself where it stands.
  if (on && outcome.done.length === 1) {
    announcer.say(text(outcome.done));
    doneQuietly(undo, outcome.here);
    tellFailed(outcome.failed);
  } else tell(outcome, text, undo);
});

/** Asks the browser to save one file as it is, and folders and several files as one archive. */
export function downloadFiles(files: File[]): void {
  const link = visit();
  if (files.length > MOST_IN_ARCHIVE) toasts.error(t('download.tooMany', { count: MOST_IN_ARCHIVE }));
  else if (link) link.save(files);
  else if (files.length > 0) startDownload(downloadUrl(files));
}

/** Has the browser save what is there, under the name that the product says. */
export function startDownload(address: string): void {
  const link = document.createElement('a');
  link.href = address;
  link.download = '';
  link.click();
}
