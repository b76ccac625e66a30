import { type ApiError, asApiError } from '$lib/api/problem';
import type { Page } from '$lib/api/sharing';

const PAGE = 100;

/** A list that comes a page at a time, the next one when it is wanted. */
export class Paged<T> {
  items = $state.raw<T[]>([]);
  error = $state.raw<ApiError | null>(null);
  loaded = $state(false);
  busy = $state(false);
  #cursor: string | null = null;
  #reading = 0;
  /** Where the page begins that did not come. */
  #missed: string | null = null;
  /** Whether there is more than what is here. */
  more = $state(false);

  constructor(readonly page: (query: { cursor?: string; limit?: number }) => Promise<Page<T>>) {}

  /** Reads from the beginning; what is shown stays until then. */
  refresh(): Promise<void> {
    return this.#read(null);
  }

  next(): Promise<void> {
    return this.#cursor && !this.busy ? this.#read(this.#cursor) : Promise.resolve();
  }

  /** Asks once more for what did not come. */
  again(): Promise<void> {
    return this.#read(this.#missed);
  }

  /** Shows the list without some at once. */
  drop(which: (item: T) => boolean): void {
    this.items = this.items.filter((item) => !which(item));
  }

  async #read(cursor: string | null): Promise<void> {
    this.#reading += 1;
    const reading = this.#reading;
    this.busy = true;
    try {
      const page = await this.page({ limit: PAGE, ...(cursor ? { cursor } : {}) });
      if (reading !== this.#reading) return;
      this.items = cursor ? [...this.items, ...page.items] : page.items;
      this.#cursor = page.nextCursor;
      this.more = page.nextCursor !== null;
      this.error = null;
      this.loaded = true;
    } catch (thrown) {
      if (reading !== this.#reading) return;
      this.error = asApiError(thrown);
      this.#missed = cursor;
    } finally {
      if (reading === this.#reading) this.busy = false;
    }
  }
}
