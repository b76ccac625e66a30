import { type ApiError, asApiError } from '$lib/api/problem';
import type { File } from '$lib/api/types';
import { layPage, PAGE_SIZE, pagesFor, unchanged } from './pages';
import type { Source } from './sources';

/** The most that the API gives at once; used where a long stretch is needed whole. */
const LARGEST_PAGE = 1000;
/** Several changes one after another are followed by one look at the list. */
const SETTLE_MS = 150;

/**
 * A list of files of which only what is looked at is loaded: as fast with 100,000 entries as with 10.
 * Entries not loaded yet are `undefined`.
 */
export class Listing {
  items = $state.raw<(File | undefined)[]>([]);
  /** Null until the first page is here. */
  total = $state<number | null>(null);
  /** How many entries are folders, which come first; as far as it is known by now. */
  folders = $state(0);
  /** Why the last page asked for did not come. */
  error = $state.raw<ApiError | null>(null);
  loading = $state(false);

  #fresh = new Set<number>();
  #flying = new Map<number, AbortController>();
  #wanted: [number, number] = [0, PAGE_SIZE];
  #cursor: string | null = null;
  #reached = 0;
  #changes = 0;
  #asked = false;
  #holds = 0;
  /** It was to be looked at again while it was held. */
  #due = false;
  /** Grows whenever the list is looked at anew: an answer to an older question is no news any more. */
  #age = 0;
  #timer: ReturnType<typeof setTimeout> | null = null;

  constructor(readonly source: Source) {}

  /** Sees to it that the entries `start` to `end` (exclusive) get loaded. Cheap to call at every scroll. */
  ensure(start: number, end: number): void {
    this.#wanted = [start, end];
    // While changes are on their way an answer may still hold what was just taken out.
    if (this.#changes > 0 || this.#holds > 0 || (this.error && !this.error.passing && this.total === null)) return;
    if (this.source.paged === 'cursor') {
      this.#continue();
      return;
    }
    const known = this.total ?? PAGE_SIZE;
    const pages = pagesFor(start, end, Math.max(known, 1));
    for (const [page, flight] of this.#flying) {
      if (!pages.includes(page)) flight.abort();
    }
    for (const page of pages) {
      if (!this.#fresh.has(page) && !this.#flying.has(page)) this.#load(page);
    }
  }

  /**
   * Nothing that is read moves the entries until the function is called that this gives back: whoever writes among them is
   * left alone. What was to be looked at meanwhile is looked at then, once.
   */
  hold(): () => void {
    this.#holds += 1;
    // What was asked for before would move them as well.
    if (this.#flying.size > 0) {
      this.#abort();
      this.#due = true;
    }
    let over = false;
    return () => {
      if (over) return;
      over = true;
      this.#holds -= 1;
      if (this.#holds > 0) return;
      if (this.#due) this.refresh();
      else this.ensure(...this.#wanted);
    };
  }

  /** Looks again at what is shown; meanwhile it stays. */
  refresh(): void {
    this.#due = this.#holds > 0;
    if (this.#due) return;
    this.error = null;
    this.#age += 1;
    this.#fresh.clear();
    this.#asked = false;
    this.#abort();
    this.#cursor = null;
    this.#reached = 0;
    this.ensure(...this.#wanted);
  }

  /** Looks again soon, once for many calls. */
  refreshSoon(): void {
    if (this.#timer !== null) return;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.refresh();
    }, SETTLE_MS);
  }

  async #load(page: number): Promise<void> {
    const flight = new AbortController();
    this.#flying.set(page, flight);
    this.loading = true;
    try {
      const offset = page * PAGE_SIZE;
      const list = await this.source.page({ offset, cursor: null, limit: PAGE_SIZE }, flight.signal);
      if (flight.signal.aborted) return;
      if (this.total !== null && this.total !== list.total) this.#fresh.clear();
      this.#lay(list.items, offset, list.total ?? offset + list.items.length);
      this.#fresh.add(page);
      this.error = null;
    } catch (thrown) {
      if (!flight.signal.aborted) this.error = asApiError(thrown);
    } finally {
      if (this.#flying.get(page) === flight) this.#flying.delete(page);
      this.loading = this.#flying.size > 0;
    }
    if (!this.error) this.ensure(...this.#wanted);
  }

  /** By cursor there is one way only: from where we are, as far as is looked at. */
  async #continue(): Promise<void> {
    const [, end] = this.#wanted;
    const complete = this.#reached > 0 && this.#cursor === null;
    if (this.#flying.size > 0 || complete || this.#reached >= Math.max(end, 1)) return;
    const flight = new AbortController();
    this.#flying.set(0, flight);
    this.loading = true;
    try {
      const far = end - this.#reached > PAGE_SIZE;
      const limit = far ? LARGEST_PAGE : PAGE_SIZE;
      const list = await this.source.page({ offset: 0, cursor: this.#cursor, limit }, flight.signal);
      if (flight.signal.aborted) return;
      // Some lists count what they leave out, and some do not count at all: the last page tells how long they are.
      const known = this.#reached + list.items.length;
      const more = list.nextCursor === null ? 0 : 1;
      this.#lay(list.items, this.#reached, more ? Math.max(list.total ?? 0, known + more) : known);
      this.#reached = known;
      this.#cursor = list.nextCursor;
      this.error = null;
      if (list.nextCursor === null) {
        this.#cursor = null;
        this.#reached = Math.max(this.#reached, 1);
      }
    } catch (thrown) {
      if (!flight.signal.aborted) this.error = asApiError(thrown);
    } finally {
      if (this.#flying.get(0) === flight) this.#flying.delete(0);
      this.loading = this.#flying.size > 0;
    }
    if (!this.error) this.ensure(...this.#wanted);
  }

  #lay(page: File[], offset: number, total: number): void {
    this.items = layPage(this.items, unchanged(this.items, page), offset, total);
    this.total = total;
    this.#countFolders();
  }

  /** The first file among folders tells; only where no border was seen yet the product is asked. */
  #countFolders(): void {
    const { folders } = this.source;
    if (!folders || this.total === null) return;
    const border = this.items.findIndex(
      (file, at) => file?.type === 'file' && (at === 0 || this.items[at - 1]?.type === 'folder'),
    );
    const leading = this.items.findIndex((file) => file?.type !== 'folder');
    if (border >= 0) this.folders = border;
    else if (leading < 0) this.folders = this.total;
    else if (!this.#asked) {
      this.#asked = true;
      this.folders = Math.max(this.folders, leading);
      folders().then(
        (count) => (this.folders = count),
        () => (this.#asked = false),
      );
    }
  }

  #abort(): void {
    for (const flight of this.#flying.values()) flight.abort();
    this.#flying.clear();
    this.loading = false;
  }

  indexOf(id: string): number {
    return this.items.findIndex((file) => file?.id === id);
  }

  find(id: string): File | undefined {
    return this.items.find((file) => file?.id === id);
  }

  /** Shows files as they are now, where they stand. */
  patch(...files: File[]): void {
    const now = new Map(files.map((file) => [file.id, file]));
    if (this.items.some((file) => file && now.has(file.id)))
      this.items = this.items.map((file) => (file && now.get(file.id)) ?? file);
  }

  /**
   * Runs a change whose outcome is shown at once by `show`, and looks at the list again when it is done or has failed.
   * Answers asked for before the change are dropped.
   */
  async change<T>(show: (items: (File | undefined)[]) => (File | undefined)[], run: () => Promise<T>): Promise<T> {
    this.#changes += 1;
    this.#age += 1;
    this.#abort();
    this.items = show(this.items);
    if (this.total !== null) this.total = this.items.length;
    this.#countFolders();
    try {
      return await run();
    } finally {
      this.#changes -= 1;
      this.refresh();
    }
  }

  /** The entries `start` to `end` (exclusive), loading what is missing of them. */
  async stretch(start: number, end: number, signal: AbortSignal): Promise<File[]> {
    const loaded = this.items.slice(start, end);
    // What was never loaded is a hole in the list, which `every` passes over.
    return loaded.includes(undefined) ? this.read(start, end, signal) : (loaded as File[]);
  }

  /** The entries `start` to `end` (exclusive) as the product has them now; from then on they stand in the list. */
  async read(start: number, end: number, signal: AbortSignal): Promise<File[]> {
    const age = this.#age;
    const offset = this.source.paged === 'offset';
    const found = await (offset ? this.#byOffset(start, end, signal) : this.#byCursor(end, signal));
    const from = offset ? start : 0;
    // While a change is on its way an answer may still hold what was just taken out.
    if (age === this.#age && this.#changes === 0 && this.#holds === 0)
      this.#lay(found, from, Math.max(this.total ?? 0, from + found.length));
    return found.slice(start - from, end - from);
  }

  async #byOffset(start: number, end: number, signal: AbortSignal): Promise<File[]> {
    const found: File[] = [];
    for (let offset = start; offset < end; offset += LARGEST_PAGE) {
      const limit = Math.min(LARGEST_PAGE, end - offset);
      const list = await this.source.page({ offset, cursor: null, limit }, signal);
      found.push(...list.items);
      if (list.items.length < limit) break;
    }
    return found;
  }

  async #byCursor(end: number, signal: AbortSignal): Promise<File[]> {
    const found: File[] = [];
    let cursor: string | null = null;
    do {
      const list = await this.source.page({ offset: 0, cursor, limit: LARGEST_PAGE }, signal);
      found.push(...list.items);
      cursor = list.nextCursor;
    } while (cursor !== null && found.length < end);
    return found;
  }
}

/** Lists looked at lately, so that going back shows them at once while they are read again. */
const KEPT = 12;
const kept = new Map<string, Listing>();

export function listingOf(source: Source): Listing {
  const listing = kept.get(source.key) ?? new Listing(source);
  kept.delete(source.key);
  kept.set(source.key, listing);
  const oldest = kept.keys().next();
  if (kept.size > KEPT && !oldest.done) kept.delete(oldest.value);
  return listing;
}

/** Another user, or everything may have changed. */
export function forgetListings(): void {
  kept.clear();
}

/** Something in a folder changed from elsewhere (an upload, a move): lists that may show it are read again. */
export function folderChanged(...folders: (string | null)[]): void {
  for (const listing of kept.values()) {
    const { key, gathered } = listing.source;
    if (gathered || folders.some((folder) => folder && key.startsWith(`children ${folder} `))) listing.refreshSoon();
  }
}

/** Files as they are now, in every list that shows them. */
export function filesChanged(files: File[]): void {
  for (const listing of kept.values()) listing.patch(...files);
}

/** Stars or tags changed: what is listed by them is read again. */
export function gatheredChanged(): void {
  for (const listing of kept.values()) if (listing.source.gathered) listing.refreshSoon();
}

export function trashChanged(): void {
  kept.get('trash')?.refreshSoon();
}
