import { explain } from '$lib/api/explain';
import { asApiError } from '$lib/api/problem';
import type { File } from '$lib/api/types';
import { toasts } from '$lib/state/toasts.svelte';
import { whoActs } from '$lib/state/undo';
import type { Listing } from './listing.svelte';
import * as pure from './selection';

/** The entry on which the keyboard stands: a list that changes has it elsewhere. */
class Cursor {
  /** What stands in its place while it is gone, or not loaded. */
  #instead: string | undefined;

  constructor(
    private at: number,
    private id: string | undefined,
  ) {}

  /** Its index in `items`; the last one known if it is not there. */
  among(items: readonly (File | undefined)[]): number {
    // It may have been set before it was loaded.
    this.id ??= items[this.at]?.id;
    if (this.#follow(this.id, items)) this.#instead = undefined;
    else if (!this.#follow(this.#instead, items)) this.#instead = items[this.at]?.id;
    return this.at;
  }

  #follow(id: string | undefined, items: readonly (File | undefined)[]): boolean {
    if (id === undefined) return false;
    if (items[this.at]?.id === id) return true;
    const found = items.findIndex((file) => file?.id === id);
    if (found >= 0) this.at = found;
    return found >= 0;
  }
}

/** What is selected in one listing, and the entry on which the keyboard stands. */
export class SelectionState {
  #value = $state.raw<pure.Selected>(pure.nothing);
  #cursor = $state.raw(new Cursor(-1, undefined));
  #index = $derived.by(() => this.#cursor.among(this.listing.items));
  /** False while nobody has used the keyboard: then no cursor is drawn. */
  cursorShown = $state(false);

  constructor(readonly listing: Listing) {}

  count = $derived.by(() => pure.countOf(this.#value, this.listing.total ?? 0));
  empty = $derived(this.count === 0);
  /** The loaded files among those selected. */
  files = $derived.by(() => this.#among(this.#value, this.listing.items));
  /** The one file selected, if it is just one. */
  single = $derived(this.count === 1 ? this.files[0] : undefined);
  all = $derived(this.#value.all);

  /** The index of the entry with the keyboard's cursor, wherever the list has it by now; -1 if it was never set. */
  get cursor(): number {
    return this.#index;
  }

  set cursor(index: number) {
    this.#cursor = new Cursor(index, this.listing.items[index]?.id);
  }

  has(id: string): boolean {
    return pure.isSelected(this.#value, id);
  }

  only(file: File, index: number): void {
    this.#cursor = new Cursor(index, file.id);
    this.#value = pure.justOne(file.id);
  }

  toggle(file: File, index: number): void {
    this.#cursor = new Cursor(index, file.id);
    this.#value = pure.toggle(this.#value, file.id);
  }

  /** What a rubber band touches, together with what was selected before if that is to stay. */
  band(files: File[], before: ReadonlySet<string> | null): void {
    const ids = new Set([...(before ?? []), ...files.map((file) => file.id)]);
    this.#value = { all: false, ids, anchor: files[0]?.id ?? null };
  }

  selectAll(): void {
    this.#value = pure.everything(this.#value);
  }

  clear(): void {
    this.#value = pure.nothing;
  }

  forget(ids: Iterable<string>): void {
    this.#value = pure.without(this.#value, ids);
  }

  /** From the anchor to `index`, loading what lies between if it was never looked at. */
  async extendTo(index: number, add: boolean): Promise<void> {
    const anchor = this.#value.anchor === null ? -1 : this.listing.indexOf(this.#value.anchor);
    const from = anchor >= 0 ? anchor : Math.max(this.cursor, 0);
    this.cursor = index;
    const [start, end] = from <= index ? [from, index + 1] : [index, from + 1];
    const before = this.#value;
    const files = await this.stretch(start, end);
    if (!files || this.#value !== before) return;
    this.#value = pure.range(
      { ...before, anchor: before.anchor ?? files[from - start]?.id ?? null },
      files.map((file) => file.id),
      add,
    );
  }

  /** The entries `start` to `end` (exclusive), loaded where they were not; null, and said so, if that did not work. */
  async stretch(start: number, end: number): Promise<File[] | null> {
    return orTold(this.listing.stretch(start, end, new AbortController().signal));
  }

  /**
   * All files that are selected at this moment, loading those that are not loaded: never fewer than were counted, unless
   * they are gone. Null, and said so, if they could not be read.
   */
  async resolve(): Promise<File[] | null> {
    const [value, loaded, count] = [this.#value, this.files, this.count];
    if (loaded.length >= count) return loaded;
    const list = await orTold(this.listing.read(0, this.listing.total ?? 0, new AbortController().signal));
    // What is put in or taken out meanwhile may push an entry over the edge of a page: what was loaded is not lost by that.
    const found = list && this.#among(value, [...list, ...loaded]);
    if (found && !value.all && this.#value === value) {
      const there = new Set(found.map((file) => file.id));
      this.forget([...value.ids].filter((id) => !there.has(id)));
    }
    return found;
  }

  /** Each once: a list that has moved since it was loaded may hold an entry in two places. */
  #among(value: pure.Selected, list: readonly (File | undefined)[]): File[] {
    const found = new Map<string, File>();
    for (const file of list)
      if (file && !found.has(file.id) && pure.isSelected(value, file.id)) found.set(file.id, file);
    return [...found.values()];
  }
}

async function orTold<T>(asked: Promise<T>): Promise<T | null> {
  const here = whoActs();
  try {
    const found = await asked;
    // The same place is another one for somebody else, whose files were not selected.
    return here() ? found : null;
  } catch (thrown) {
    if (here()) toasts.error(explain(asApiError(thrown)));
    return null;
  }
}
