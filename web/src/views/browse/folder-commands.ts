import type { File } from '$lib/api/types';
import { clipboard } from '$lib/files/clipboard.svelte';
import { t } from '$lib/i18n';
import type { Listing } from '$lib/listing/listing.svelte';
import type { SelectionState } from '$lib/listing/selected.svelte';
import { dialogs } from '$lib/state/dialogs.svelte';
import { choices, singleKey } from '$lib/state/prefs.svelte';
import { hrefs, router } from '$lib/state/router.svelte';
import { toasts } from '$lib/state/toasts.svelte';
import { whoActs } from '$lib/state/undo';
import type { Target } from '$lib/upload/target';
import { parts } from '$views/parts';
import type { Taken } from './drop';
import type { Commands } from './types';

export interface Place {
  listing: Listing;
  selection: SelectionState;
  /** Missing where a name cannot be written in its place. */
  startRename?: (file: File) => void;
  may: Rights;
}

export interface Whole extends Place {
  /** The folder that it is; null where files of many folders are gathered. */
  target: Target | null;
  /** Where the way up leads. */
  up?: () => void;
}

/** What one's role in a folder allows with what is in it. */
export interface Rights {
  /** Rename, move, trash and add. */
  readonly change: boolean;
  readonly share: boolean;
}

/** What a key stands for. */
export type Name = 'download' | 'star' | 'copy' | 'move' | 'tags' | 'trash' | 'rename' | 'newFolder' | 'upload';

const LETTERS: Record<string, Name> = {
  '*': 'star',
  c: 'copy',
  d: 'download',
  m: 'move',
  n: 'newFolder',
  t: 'tags',
  u: 'upload',
};
/** Those that change nothing of what others see. */
const HARMLESS: readonly Name[] = ['download', 'star', 'copy'];
const OF_PLACE: readonly Name[] = ['newFolder', 'upload'];

/** What acts comes after the first sight of the page, and is waited for. */
const doing = parts.folderActs;
type Acts = Awaited<ReturnType<typeof doing>>;

/** Has it fetched, so that nobody waits later. */
export const prepare = (): void => {
  doing().catch(() => {});
};

export async function later(act: (acts: Acts) => unknown): Promise<void> {
  const here = whoActs();
  const acts = await doing().catch(() => null);
  if (!here()) return;
  if (acts) await act(acts);
  else toasts.error(`${t('lazy.title')}. ${t('lazy.text')}`);
}

export const openShare = (file: Pick<File, 'id' | 'name' | 'type'>): void => dialogs.open({ kind: 'share', file });

export const openFile = (file: File): void =>
  file.type === 'folder' ? router.go(hrefs.folder(file.id)) : router.openView(file.id);

/** What can be done with the entries of a place. */
export function folderCommands(place: Whole): Commands {
  const { listing, selection, target, up, may } = place;

  /** What a key stands for now, if anything. */
  function named(event: KeyboardEvent): Name | null {
    const name = event.key === 'Delete' ? 'trash' : event.key === 'F2' ? 'rename' : LETTERS[singleKey(event)];
    if (!name || (!may.change && !HARMLESS.includes(name))) return null;
    if (OF_PLACE.includes(name)) return target ? name : null;
    return (name === 'rename' ? place.startRename && selection.single : !selection.empty) ? name : null;
  }

  /** At once, where all that is selected is loaded: it may be pasted in the next moment. */
  function keep(copying: boolean, words: string): void {
    const { files, count } = selection;
    if (files.length === count) clipboard.put(files, copying, words);
    else later((acts) => acts.keepSelected(selection, copying, words));
  }

  return {
    open: openFile,
    menu: (at) => later((acts) => acts.openMenu(place, at)),
    copy: (words: string) => keep(true, words),
    star: (file: File) => later((acts) => acts.starFiles([file], !file.starred)),
    ...(may.change || !target
      ? {
          rename: async (file: File, name: string) => (await doing()).renameFile(listing, file, name),
          put: (taken: Taken, to: Target, copying: boolean) => later((acts) => acts.putInto(place, taken, to, copying)),
          cut: (words: string) => keep(false, words),
        }
      : {}),
    key(event) {
      if (event.key === 'Escape' && clipboard.files.length > 0) {
        clipboard.clear();
        return true;
      }
      const letter = singleKey(event);
      const single = selection.single;
      const name = named(event);
      if (event.key === 'Backspace' || (event.key === 'ArrowUp' && event.altKey)) up?.();
      else if (letter === 'i') choices.toggleDetails();
      else if (letter === 's' && single && may.share) openShare(single);
      else if (name) later((acts) => acts.perform(name, place));
      else return false;
      return true;
    },
  };
}
