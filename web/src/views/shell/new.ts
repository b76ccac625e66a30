import FolderPlus from '@lucide/svelte/icons/folder-plus';
import FolderUp from '@lucide/svelte/icons/folder-up';
import Upload from '@lucide/svelte/icons/upload';
import { t } from '$lib/i18n';
import { dialogs } from '$lib/state/dialogs.svelte';
import { type MenuEntry, menu } from '$lib/state/menu.svelte';
import { upload } from '$lib/upload/add.svelte';
import { fromInput } from '$lib/upload/entries';
import type { Target } from '$lib/upload/target';

export function openNewMenu(at: Element, target: Target): void {
  menu.open(at, t('new'), newEntries(target));
}

export const newEntries = (target: Target): MenuEntry[] =>
  target.closed
    ? [{ heading: t('folder.viewOnly.long') }]
    : [
        { label: t('new.folder'), icon: FolderPlus, keys: 'N', run: () => newFolder(target) },
        'line',
        { label: t('upload.files'), icon: Upload, keys: 'U', run: () => pick(target, false) },
        { label: t('upload.folder'), icon: FolderUp, run: () => pick(target, true) },
      ];

export function newFolder(target: Target): void {
  dialogs.open({ kind: 'newFolder', parentId: target.id, parentName: target.name });
}

/** Lets the reader choose files, or a whole folder, to be uploaded. */
export function pick(target: Target, folder: boolean): void {
  const input = document.createElement('input');
  input.type = 'file';
  input.multiple = true;
  input.webkitdirectory = folder;
  input.addEventListener('change', () => upload(fromInput(input.files ?? []), target));
  input.click();
}
