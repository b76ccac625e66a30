import type { SortKey, SortOrder } from '$lib/api/files';
import { load, save } from './local';

export interface FolderView {
  layout: 'list' | 'grid';
  sort: SortKey;
  order: SortOrder;
}

/** Folders whose view is remembered; the one left alone longest is forgotten first. */
const REMEMBERED = 500;

const initial: FolderView = { layout: 'grid', sort: 'name', order: 'asc' };

/** How each folder is shown. A folder never changed is shown as the last one that was. */
class FolderViews {
  #last = $state.raw<FolderView>({ ...initial, ...load<Partial<FolderView>>('view', {}) });
  #byFolder = $state.raw<Record<string, FolderView>>(load('views', {}));

  of(folder: string): FolderView {
    return this.#byFolder[folder] ?? this.#last;
  }

  change(folder: string, change: Partial<FolderView>): void {
    const view = { ...this.of(folder), ...change };
    const { [folder]: _, ...others } = this.#byFolder;
    const kept = Object.entries(others).slice(-(REMEMBERED - 1));
    this.#byFolder = Object.fromEntries([...kept, [folder, view]]);
    this.#last = view;
    save('views', this.#byFolder);
    save('view', view);
  }
}

export const folderViews = new FolderViews();

/** Small choices that hold everywhere. */
class Choices {
  details = $state(load('details', false));
  /** Whether the details show the versions of a file. */
  versions = $state(load('versions', false));
  /** They were asked for by name, and are to be brought into sight. */
  versionsAsked = $state(false);
  /** Whether they show what happened to a file. */
  activity = $state(load('activity', false));
  singleKeys = $state(load('singleKeys', true));

  toggleDetails(open: boolean = !this.details): void {
    this.details = open;
    save('details', open);
  }

  toggleVersions(open: boolean = !this.versions): void {
    this.versions = open;
    save('versions', open);
  }

  toggleActivity(): void {
    this.activity = !this.activity;
    save('activity', this.activity);
  }

  setSingleKeys(on: boolean): void {
    this.singleKeys = on;
    save('singleKeys', on);
  }
}

export const choices = new Choices();

/** What somebody types into; a box that is ticked takes no characters. */
const TYPED_INTO = 'input:not([type="checkbox"], [type="radio"]), textarea, select, [contenteditable]';

/**
 * The single character that a shortcut is known by, in lower case; `''` where it is none: such shortcuts are turned off, it comes
 * with another key, or somebody types it.
 */
export function singleKey(event: KeyboardEvent): string {
  if (!choices.singleKeys || event.ctrlKey || event.metaKey || event.altKey || event.key.length !== 1) return '';
  return event.target instanceof Element && event.target.matches(TYPED_INTO) ? '' : event.key.toLowerCase();
}
