import { type ApiError, asApiError } from '$lib/api/problem';

const PAGE = 100;

interface Page<T> {
  items: T[];
  nextCursor?: string | null;
  total?: number;
}

type Fetch<T> = (at: { cursor?: string; limit: number }, signal: AbortSignal) => Promise<Page<T>>;

/** A list that the API gives page by page, loaded as far as it is looked at. */
export class CursorList<T extends { id: string }> {
  items = $state.raw<T[]>([]);
  /** How many there are in all; null while nobody knows, or where the API does not say. */
  total = $state<number | null>(null);
  ready = $state(false);
  complete = $state(false);
  loading = $state(false);
  error = $state.raw<ApiError | null>(null);
  #cursor: string | null = null;
  #flight: AbortController | null = null;

  constructor(
    readonly fetch: Fetch<T>,
    readonly pageSize = PAGE,
  ) {}

  /** Reads the list from its beginning; what is shown stays until then. */
  refresh(): Promise<void> {
    return this.#load(null);
  }

  async more(): Promise<void> {
    if (!this.ready || this.complete || this.loading) return;
    await this.#load(this.#cursor);
  }

  stop(): void {
    this.#flight?.abort();
    this.loading = false;
  }

  /** Shows an item as it is now; a new one first, as the API lists them. */
  put(item: T): void {
    const known = this.items.some(({ id }) => id === item.id);
    this.items = known ? this.items.map((one) => (one.id === item.id ? item : one)) : [item, ...this.items];
    if (!known && this.total !== null) this.total += 1;
  }

  drop(id: string): void {
    const left = this.items.filter((one) => one.id !== id);
    if (left.length < this.items.length && this.total !== null) this.total -= 1;
    this.items = left;
  }

  async #load(cursor: string | null): Promise<void> {
    this.#flight?.abort();
    const flight = new AbortController();
    this.#flight = flight;
    this.loading = true;
    try {
      const page = await this.fetch({ limit: this.pageSize, ...(cursor ? { cursor } : {}) }, flight.signal);
      if (flight.signal.aborted) return;
      const known = cursor ? this.items : [];
      const shown = new Set(known.map(({ id }) => id));
      this.items = [...known, ...page.items.filter(({ id }) => !shown.has(id))];
      this.#cursor = page.nextCursor ?? null;
      this.complete = this.#cursor === null;
      this.total = page.total ?? null;
      this.error = null;
      this.ready = true;
    } catch (thrown) {
      if (!flight.signal.aborted) this.error = asApiError(thrown);
    } finally {
      if (this.#flight === flight) this.loading = false;
    }
  }
}
