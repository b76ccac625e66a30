import type { SortKey, SortOrder } from '$lib/api/files';
import type { File } from '$lib/api/types';
import type { Put } from './drop';
import type { Renaming } from './renaming.svelte';

/** What can be done with the entries of a list; the place decides. */
export interface Commands {
  open(file: File, index: number): void;
  /** The menu for what is selected, at a control or a point. */
  menu(at: Element | { x: number; y: number }): void;
  /** Keys beyond those that move about; true if one was understood. */
  key(event: KeyboardEvent): boolean;
  /** Present where what is selected can be cut, to be moved elsewhere; the words stand for it in the system's clipboard. */
  cut?(words: string): void;
  /** The same for a copy of it. */
  copy?(words: string): void;
  rename?(file: File, name: string): Promise<void>;
  /** Present where entries can be moved and copied by dragging. */
  put?: Put;
  /** Present where one can set a star. */
  star?(file: File): void;
}

export interface Sorting {
  key: SortKey;
  order: SortOrder;
  set(key: SortKey): void;
}

/** What the drawing of one entry needs to know. */
export interface EntryProps {
  file: File;
  index: number;
  selected: boolean;
  cursor: boolean;
  /** Its name, while that is being written. */
  renaming: Renaming | null;
  commands: Commands;
  endRename: (draft: Renaming, gone: boolean) => void;
  toggle: () => void;
  more: (at: Element) => void;
}
