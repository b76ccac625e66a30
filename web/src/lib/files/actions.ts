import { explain } from '$lib/api/explain';
import * as api from '$lib/api/files';
import { asApiError } from '$lib/api/problem';
import type { File } from '$lib/api/types';
import { downloadUrl, MOST_IN_ARCHIVE, visit } from '$lib/api/urls';
import { t } from '$lib/i18n';
import { folderChanged, type Listing, trashChanged } from '$lib/listing/listing.svelte';
import type { SelectionState } from '$lib/listing/selected.svelte';
import { dialogs } from '$lib/state/dialogs.svelte';
import { toasts } from '$lib/state/toasts.svelte';
import { doneWithUndo, undoable } from '$lib/state/undo';
import { usage } from '$lib/state/usage.svelte';
import { forEachOf, type Outcome } from './batch';

const named = (files: File[]) => ({ count: files.length, name: files[0]?.name ?? '' });
const without = (gone: Set<string>) => (items: (File | undefined)[]) =>
  items.filter((file) => !file || !gone.has(file.id));
const idsOf = (files: File[]) => new Set(files.map((file) => file.id));

function tell(outcome: Outcome, text: (files: File[]) => string, undo?: () => Promise<void>): void {
  if (outcome.done.length > 0) {
    if (undo) doneWithUndo(text(outcome.done), undo);
    else toasts.show(text(outcome.done));
  }
  const first = outcome.failed[0];
  if (first)
    toasts.error(
      t('act.failed', { count: outcome.failed.length, name: first.file.name, reason: explain(first.error) }),
    );
}

/** Takes files out of a list at once, and acts on them meanwhile. */
async function takeOut(
  listing: Listing,
  files: File[],
  label: string,
  act: (file: File) => Promise<unknown>,
): Promise<Outcome> {
  return listing.change(without(idsOf(files)), () => forEachOf(files, label, act));
}

export const trashFiles = undoable(async (listing: Listing, files: File[]): Promise<void> => {
  if (files.length === 0) return;
  const outcome = await takeOut(listing, files, t('act.trashing', { count: files.length }), (file) =>
    api.trashFile(file.id),
  );
  trashChanged();
  usage.changed();
  tell(
    outcome,
    (done) => t('act.trashed', named(done)),
    async () => {
      await restoreAll(outcome.done);
    },
  );
});

async function restoreAll(files: File[]): Promise<Outcome> {
  const parents = new Set<string | null>();
  const outcome = await forEachOf(files, t('act.restoring', { count: files.length }), async (file) => {
    parents.add((await api.restoreFile(file.id)).parentId);
  });
  // A list of the root folder may be known by its name instead of its id.
  folderChanged(...parents, 'root');
  trashChanged();
  usage.changed();
  if (outcome.failed[0]) throw outcome.failed[0].error;
  return outcome;
}

export const restoreFiles = undoable(async (listing: Listing, files: File[]): Promise<void> => {
  if (files.length === 0) return;
  const outcome = await takeOut(listing, files, t('act.restoring', { count: files.length }), (file) =>
    api.restoreFile(file.id),
  );
  folderChanged(...outcome.done.map((file) => file.parentId), 'root');
  usage.changed();
  tell(
    outcome,
    (done) => t('act.restored', named(done)),
    async () => {
      const again = await forEachOf(outcome.done, t('act.trashing', { count: outcome.done.length }), (file) =>
        api.trashFile(file.id),
      );
      folderChanged(...outcome.done.map((file) => file.parentId), 'root');
      trashChanged();
      if (again.failed[0]) throw again.failed[0].error;
    },
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
  const outcome = await takeOut(listing, files, t('act.deleting', { count: files.length }), (file) =>
    api.deleteFile(file.id),
  );
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
  try {
    await listing.change(
      () => [],
      () => api.emptyTrash(),
    );
    toasts.show(t('trash.emptied'));
  } catch (thrown) {
    toasts.error(explain(asApiError(thrown)));
  }
  usage.changed();
}

/** Throws what the server refused, so that the field can say it beside what was typed. */
export const renameFile = undoable(async (listing: Listing, file: File, name: string): Promise<void> => {
  listing.patch(await api.renameFile(file.id, name));
  listing.refreshSoon();
  doneWithUndo(t('act.renamed', { name }), async () => {
    await api.renameFile(file.id, file.name);
    folderChanged(file.parentId, 'root');
  });
});

export const moveFiles = undoable(
  async (listing: Listing | null, files: File[], to: { id: string; name: string }): Promise<void> => {
    if (files.length === 0) return;
    const label = t('act.moving', { count: files.length });
    const act = (file: File) => api.moveFile(file.id, to.id);
    const outcome = await (listing ? takeOut(listing, files, label, act) : forEachOf(files, label, act));
    const folders = [...files.map((file) => file.parentId), to.id, 'root'];
    folderChanged(...folders);
    tell(
      outcome,
      (done) => t('act.moved', { ...named(done), folder: to.name }),
      async () => {
        const back = await forEachOf(outcome.done, t('act.moving', { count: outcome.done.length }), (file) =>
          api.moveFile(file.id, file.parentId ?? 'root'),
        );
        folderChanged(...folders);
        if (back.failed[0]) throw back.failed[0].error;
      },
    );
  },
);

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

/** The files selected, even if not all of them are loaded; null if they could not be read. */
export async function selectedFiles(selection: SelectionState): Promise<File[] | null> {
  try {
    return await selection.resolve(new AbortController().signal);
  } catch (thrown) {
    toasts.error(explain(asApiError(thrown)));
    return null;
  }
}
