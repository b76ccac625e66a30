import ClipboardPaste from '@lucide/svelte/icons/clipboard-paste';
import Download from '@lucide/svelte/icons/download';
import Eye from '@lucide/svelte/icons/eye';
import FolderInput from '@lucide/svelte/icons/folder-input';
import FolderOpen from '@lucide/svelte/icons/folder-open';
import Info from '@lucide/svelte/icons/info';
import Pencil from '@lucide/svelte/icons/pencil';
import Scissors from '@lucide/svelte/icons/scissors';
import Share2 from '@lucide/svelte/icons/share-2';
import Trash from '@lucide/svelte/icons/trash-2';
import type { File, PathItem } from '$lib/api/types';
import { downloadFiles, moveFiles, renameFile, selectedFiles, trashFiles } from '$lib/files/actions';
import { clipboard } from '$lib/files/clipboard.svelte';
import { t } from '$lib/i18n';
import type { Listing } from '$lib/listing/listing.svelte';
import type { SelectionState } from '$lib/listing/selected.svelte';
import { dialogs } from '$lib/state/dialogs.svelte';
import { type MenuEntry, menu } from '$lib/state/menu.svelte';
import { choices } from '$lib/state/prefs.svelte';
import { hrefs, router } from '$lib/state/router.svelte';
import type { Target } from '$lib/upload/target';
import { newEntries, newFolder, pick } from '$views/shell/new';
import { cutFiles, pasteFiles } from './clipboard';
import type { Commands } from './types';

interface Place {
  listing: Listing;
  selection: SelectionState;
  startRename: (file: File) => void;
  may: Rights;
}

/** What one's role in a folder allows with what is in it. */
export interface Rights {
  /** Rename, move, trash and add. */
  change: boolean;
  share: boolean;
}

export const openShare = (file: Pick<File, 'id' | 'name' | 'type'>): void => dialogs.open({ kind: 'share', file });

/** What can be done with what is selected in a folder, for the bar above the list. */
export function folderActs({ listing, selection, startRename, may }: Place) {
  const single = selection.single;
  return [
    { label: t('download'), icon: Download, run: () => withSelected(selection, downloadFiles) },
    ...(single && may.share ? [{ label: t('share'), icon: Share2, run: () => openShare(single) }] : []),
    ...(may.change
      ? [
          {
            label: t('move'),
            icon: FolderInput,
            run: () => withSelected(selection, (files) => openMove(selection, files)),
          },
          ...(single ? [{ label: t('rename'), icon: Pencil, run: () => startRename(single) }] : []),
          { label: t('trash.act'), icon: Trash, danger: true, run: () => trashSelected(listing, selection) },
        ]
      : []),
  ];
}

export async function withSelected(selection: SelectionState, act: (files: File[]) => void): Promise<void> {
  const files = await selectedFiles(selection);
  if (files && files.length > 0) act(files);
}

function openMove(selection: SelectionState, files: File[]): void {
  dialogs.open({ kind: 'move', files });
  selection.cursorShown = false;
}

async function trashSelected(listing: Listing, selection: SelectionState): Promise<void> {
  const files = await selectedFiles(selection);
  selection.clear();
  if (files) await trashFiles(listing, files);
}

export function folderCommands(place: Place & { target: Target; path: PathItem[] }): Commands {
  const { listing, selection, target, path, startRename, may } = place;

  const open = (file: File) => (file.type === 'folder' ? router.go(hrefs.folder(file.id)) : router.openView(file.id));
  const details = () => choices.toggleDetails();
  const up = () => {
    const parent = path.at(-2);
    if (parent) router.go(hrefs.folder(parent.name === '' ? 'root' : parent.id));
    else if (target.foreign) router.go(hrefs.shared());
  };

  const paste = (into: Target): MenuEntry => ({
    label: t('paste'),
    icon: ClipboardPaste,
    keys: 'Ctrl V',
    run: () => pasteFiles(clipboard.takeAll(), into),
  });

  const changes = (single: File | undefined): MenuEntry[] => [
    'line',
    ...(single ? [{ label: t('rename'), icon: Pencil, keys: 'F2', run: () => startRename(single) }] : []),
    {
      label: t('move.dots'),
      icon: FolderInput,
      keys: 'M',
      run: () => withSelected(selection, (files) => openMove(selection, files)),
    },
    {
      label: t('cut'),
      icon: Scissors,
      keys: 'Ctrl X',
      run: () => withSelected(selection, (files) => cutFiles(files)),
    },
    ...(single?.type === 'folder' && clipboard.files.length > 0 ? [paste({ id: single.id, name: single.name })] : []),
  ];

  const ending = (): MenuEntry[] => [
    'line',
    { label: t('trash.act'), icon: Trash, keys: 'Del', tone: 'danger', run: () => trashSelected(listing, selection) },
  ];

  const entries = (): MenuEntry[] => {
    if (selection.empty)
      return clipboard.files.length > 0 && may.change
        ? [...newEntries(target), 'line', paste(target)]
        : newEntries(target);
    const single = selection.single;
    return [
      ...(single
        ? [{ label: t('open'), icon: single.type === 'folder' ? FolderOpen : Eye, keys: '↵', run: () => open(single) }]
        : []),
      { label: t('download'), icon: Download, keys: 'D', run: () => withSelected(selection, downloadFiles) },
      ...(single && may.share
        ? [{ label: t('share.dots'), icon: Share2, keys: 'S', run: () => openShare(single) }]
        : []),
      ...(may.change ? changes(single) : []),
      { label: t('details'), icon: Info, keys: 'I', run: () => choices.toggleDetails(true) },
      ...(may.change ? ending() : []),
    ];
  };

  return {
    open,
    menu: (at) => menu.open(at, t('menu.files'), entries()),
    ...(may.change
      ? {
          rename: (file: File, name: string) => renameFile(listing, file, name),
          move: (files: File[], to: Target) => {
            selection.clear();
            moveFiles(listing, files, to);
          },
          cut: (words: string) => withSelected(selection, (files) => cutFiles(files, words)),
        }
      : {}),
    key(event) {
      if (event.key === 'Escape' && clipboard.files.length > 0) {
        clipboard.clear();
        return true;
      }
      const plain = !event.ctrlKey && !event.metaKey && !event.altKey;
      const letter = plain && choices.singleKeys ? event.key.toLowerCase() : '';
      const single = selection.single;
      if (event.key === 'Backspace' || (event.key === 'ArrowUp' && event.altKey)) up();
      else if (letter === 'd' && !selection.empty) withSelected(selection, downloadFiles);
      else if (letter === 'i') details();
      else if (letter === 's' && single && may.share) openShare(single);
      else if (!may.change) return false;
      else if (event.key === 'F2' && single) startRename(single);
      else if (event.key === 'Delete' && !selection.empty) trashSelected(listing, selection);
      else if (letter === 'm' && !selection.empty) withSelected(selection, (files) => openMove(selection, files));
      else if (letter === 'n') newFolder(target);
      else if (letter === 'u') pick(target, false);
      else return false;
      return true;
    },
  };
}
