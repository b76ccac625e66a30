import ClipboardCopy from '@lucide/svelte/icons/clipboard-copy';
import ClipboardPaste from '@lucide/svelte/icons/clipboard-paste';
import Copy from '@lucide/svelte/icons/copy';
import Download from '@lucide/svelte/icons/download';
import Eye from '@lucide/svelte/icons/eye';
import FolderInput from '@lucide/svelte/icons/folder-input';
import FolderOpen from '@lucide/svelte/icons/folder-open';
import History from '@lucide/svelte/icons/history';
import Info from '@lucide/svelte/icons/info';
import ListChecks from '@lucide/svelte/icons/list-checks';
import Pencil from '@lucide/svelte/icons/pencil';
import Scissors from '@lucide/svelte/icons/scissors';
import Share2 from '@lucide/svelte/icons/share-2';
import Star from '@lucide/svelte/icons/star';
import StarOff from '@lucide/svelte/icons/star-off';
import Tags from '@lucide/svelte/icons/tags';
import Trash from '@lucide/svelte/icons/trash-2';
import type { File } from '$lib/api/types';
import { downloadFiles, moveFiles, renameFile, starFiles, trashFiles } from '$lib/files/actions';
import { clipboard } from '$lib/files/clipboard.svelte';
import { copyFiles } from '$lib/files/copy';
import { t } from '$lib/i18n';
import type { Listing } from '$lib/listing/listing.svelte';
import type { SelectionState } from '$lib/listing/selected.svelte';
import { dialogs } from '$lib/state/dialogs.svelte';
import { type MenuEntry, menu } from '$lib/state/menu.svelte';
import { choices } from '$lib/state/prefs.svelte';
import { hrefs, router } from '$lib/state/router.svelte';
import type { Target } from '$lib/upload/target';
import { newEntries, newFolder, pick } from '$views/shell/new';
import type { Act } from './acts';
import { keepFiles, pasteFiles } from './clipboard';
import type { Taken } from './drop';
import { type Name, openFile, openShare, type Place, type Whole } from './folder-commands';

/** What can be done with what is selected in a place, for the bar above the list. */
export function folderActs({ listing, selection, startRename, may }: Place): Act[] {
  const single = selection.single;
  return [
    { label: t('download'), icon: Download, run: () => withSelected(selection, downloadFiles) },
    ...(single && may.share ? [{ label: t('share'), icon: Share2, run: () => openShare(single) }] : []),
    starAct(selection),
    ...(may.change
      ? [
          { label: t('tags'), icon: Tags, run: () => openDialog(selection, 'tags') },
          { label: t('move'), icon: FolderInput, run: () => openDialog(selection, 'move') },
        ]
      : []),
    { label: t('copyTo'), icon: Copy, run: () => openDialog(selection, 'copy') },
    ...(may.change
      ? [
          ...(single && startRename ? [{ label: t('rename'), icon: Pencil, run: () => startRename(single) }] : []),
          { label: t('trash.act'), icon: Trash, danger: true, run: () => trashSelected(listing, selection) },
        ]
      : []),
  ];
}

/** Sets the star on what is selected, or takes it off if all of it has one. */
function starAct(selection: SelectionState) {
  const off = selection.files.length > 0 && selection.files.every((file) => file.starred);
  return {
    label: off ? t('star.remove') : t('star.add'),
    icon: off ? StarOff : Star,
    run: () => withSelected(selection, (files) => starFiles(files, !off)),
  };
}

export async function withSelected(selection: SelectionState, act: (files: File[]) => void): Promise<void> {
  const files = await selection.resolve();
  if (files && files.length > 0) act(files);
}

const openDialog = (selection: SelectionState, kind: 'move' | 'copy' | 'tags'): Promise<void> =>
  withSelected(selection, (files) => {
    // All of it may have taken long to be read: what was opened meanwhile stays.
    if (dialogs.request) return;
    dialogs.open({ kind, files });
    selection.cursorShown = false;
  });

async function trashSelected(listing: Listing, selection: SelectionState): Promise<void> {
  const files = await selection.resolve();
  if (!files) return;
  selection.clear();
  await trashFiles(listing, files);
}

/** Opens the menu of what is selected, or of the place if nothing is. */
export function openMenu(place: Whole, at: Element | { x: number; y: number }): void {
  const { listing, selection, target, startRename, may } = place;

  const paste = (into: Target): MenuEntry => ({
    label: t('paste'),
    icon: ClipboardPaste,
    keys: 'Ctrl V',
    run: () => pasteFiles(clipboard.takeAll(), into),
  });

  const changes = (single: File | undefined): MenuEntry[] => [
    'line',
    ...(single && startRename
      ? [{ label: t('rename'), icon: Pencil, keys: 'F2', run: () => startRename(single) }]
      : []),
    { label: t('move.dots'), icon: FolderInput, keys: 'M', run: () => openDialog(selection, 'move') },
    {
      label: t('cut'),
      icon: Scissors,
      keys: 'Ctrl X',
      run: () => withSelected(selection, (files) => keepFiles(files, false)),
    },
  ];

  const copies = (single: File | undefined): MenuEntry[] => [
    { label: t('copyTo.dots'), icon: Copy, keys: 'C', run: () => openDialog(selection, 'copy') },
    {
      label: t('copy'),
      icon: ClipboardCopy,
      keys: 'Ctrl C',
      run: () => withSelected(selection, (files) => keepFiles(files, true)),
    },
    ...(may.change && single?.type === 'folder' && clipboard.files.length > 0
      ? [paste({ id: single.id, name: single.name })]
      : []),
  ];

  const ending = (): MenuEntry[] => [
    'line',
    { label: t('trash.act'), icon: Trash, keys: 'Del', tone: 'danger', run: () => trashSelected(listing, selection) },
  ];

  const all = (): MenuEntry => ({
    label: t('select.all'),
    icon: ListChecks,
    keys: 'Ctrl A',
    run: () => selection.selectAll(),
  });

  const ofPlace = (): MenuEntry[] => {
    if (!target) return [all()];
    const into = clipboard.files.length > 0 && may.change ? [paste(target)] : [];
    return [...newEntries(target), 'line', ...into, all()];
  };

  const showVersions = () => {
    choices.toggleVersions(true);
    choices.versionsAsked = true;
    choices.toggleDetails(true);
  };

  const entries = (): MenuEntry[] => {
    if (selection.empty) return ofPlace();
    const single = selection.single;
    const parent = target ? null : single?.parentId;
    return [
      ...(single
        ? [
            {
              label: t('open'),
              icon: single.type === 'folder' ? FolderOpen : Eye,
              keys: '↵',
              run: () => openFile(single),
            },
          ]
        : []),
      ...(parent ? [{ label: t('showInFolder'), icon: FolderOpen, run: () => router.go(hrefs.folder(parent)) }] : []),
      { label: t('download'), icon: Download, keys: 'D', run: () => withSelected(selection, downloadFiles) },
      ...(single && may.share
        ? [{ label: t('share.dots'), icon: Share2, keys: 'S', run: () => openShare(single) }]
        : []),
      'line',
      { ...starAct(selection), keys: '*' },
      ...(may.change
        ? [{ label: t('tags.dots'), icon: Tags, keys: 'T', run: () => openDialog(selection, 'tags') }]
        : []),
      ...(may.change ? changes(single) : (['line'] as const)),
      ...copies(single),
      'line',
      { label: t('details'), icon: Info, keys: 'I', run: () => choices.toggleDetails(true) },
      ...(single?.type === 'file' ? [{ label: t('versions'), icon: History, run: showVersions }] : []),
      ...(may.change ? ending() : []),
    ];
  };

  menu.open(at, t('menu.files'), entries());
}

/** Does what a key stands for, with what is selected. */
export function perform(name: Name, { listing, selection, target, startRename }: Whole): void {
  const single = selection.single;
  if (name === 'download') withSelected(selection, downloadFiles);
  else if (name === 'star') starAct(selection).run();
  else if (name === 'copy' || name === 'move' || name === 'tags') openDialog(selection, name);
  else if (name === 'trash') trashSelected(listing, selection);
  else if (name === 'rename' && single) startRename?.(single);
  else if (name === 'newFolder' && target) newFolder(target);
  else if (name === 'upload' && target) pick(target, false);
}

/** Keeps what is selected to be pasted elsewhere; `words` is what the system's clipboard has for it. */
export const keepSelected = (selection: SelectionState, copying: boolean, words: string): Promise<void> =>
  withSelected(selection, (files) => keepFiles(files, copying, words));

/** Moves files into a folder, or copies them. */
export async function putInto(
  { listing, selection }: Pick<Place, 'listing' | 'selection'>,
  taken: Taken,
  to: Target,
  copying: boolean,
): Promise<void> {
  const files = await taken;
  if (!files) return;
  if (copying) {
    copyFiles(files, to);
    return;
  }
  selection.clear();
  moveFiles(listing, files, to);
}

export { pasteFiles, renameFile, starFiles, trashFiles };
