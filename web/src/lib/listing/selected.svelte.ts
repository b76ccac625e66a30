import type { File } from '$lib/api/types';
import type { Listing } from './listing.svelte';
import * as pure from './selection';

/** What is selected in one listing, and the entry on which the keyboard stands. */
export class SelectionState {
  #value = $state.raw<pure.Selected>(pure.nothing);
  /** The index of the entry with the keyboard's cursor; -1 if it was never set. */
  cursor = $state(-1);
  /** False while nobody has used the keyboard: then no cursor is drawn. */
  cursorShown = $state(false);

  constructor(readonly listing: Listing) {}

  count = $derived.by(() => pure.countOf(this.#value, this.listing.total ?? 0));
  empty = $derived(this.count === 0);
  /** The loaded files among those selected. */
  files = $derived.by(() =>
    this.listing.items.filter((file): file is File => file !== undefined && pure.isSelected(this.#value, file.id)),
  );
  /** The one file selected, if it is just one. */
  single = $derived(this.count === 1 ? this.files[0] : undefined);
  all = $derived(this.#value.all);

  has(id: string): boolean {
    return pure.isSelected(this.#value, id);
  }

  only(file: File, index: number): void {
    this.cursor = index;
    this.#value = pure.justOne(file.id);
  }

  toggle(file: File, index: number): void {
    this.cursor = index;
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
    const files = await this.listing.stretch(start, end, new AbortController().signal);
    if (this.#value !== before) return;
    this.#value = pure.range(
      { ...before, anchor: before.anchor ?? this.listing.items[from]?.id ?? null },
      files.map((file) => file.id),
      add,
    );
  }

  /** All files selected, loading the rest of the list if everything is. */
  async resolve(signal: AbortSignal): Promise<File[]> {
    if (!this.#value.all) return this.files;
    const value = this.#value;
    const files = await this.listing.stretch(0, this.listing.total ?? 0, signal);
    return files.filter((file) => pure.isSelected(value, file.id));
  }
}
