/** Sooner it is over before anyone could wonder. */
const SOON_MS = 300;
/** How often what was found is shown. */
const SHOW_MS = 80;

/** Who follows how something that was dropped is read. */
export interface Follower {
  /** Whether it is wanted no more. */
  readonly signal: AbortSignal;
  /** One more file. */
  found(): void;
}

export interface Reader extends Follower {
  /** What was read is known elsewhere from now on, or wanted no more. */
  end(): void;
}

/** Folders that were dropped and are still being read: work that is not finished, though nobody knows yet how much it is. */
export class Reading {
  active = $state(false);
  /** Whether it takes long enough to be spoken of. */
  lasts = $state(false);
  /** Files that are known by now. */
  found = $state(0);
  #readers = new Set<Reader>();
  #count = 0;
  #shownAt = 0;
  #soon: ReturnType<typeof setTimeout> | null = null;

  begin(): Reader {
    const flight = new AbortController();
    let count = 0;
    const reader: Reader = {
      signal: flight.signal,
      found: () => {
        if (flight.signal.aborted) return;
        count += 1;
        this.#add(1);
      },
      end: () => {
        if (!this.#readers.delete(reader)) return;
        flight.abort();
        this.#add(-count);
        if (this.#readers.size === 0) this.#rest();
      },
    };
    this.#readers.add(reader);
    if (!this.active) {
      this.active = true;
      addEventListener('beforeunload', this.#ask);
      this.#soon = setTimeout(() => {
        this.lasts = true;
        this.found = this.#count;
      }, SOON_MS);
    }
    return reader;
  }

  /** Nothing of what is being read is wanted any more. */
  cancel(): void {
    for (const reader of [...this.#readers]) reader.end();
  }

  #add(count: number): void {
    this.#count += count;
    const now = performance.now();
    if (now - this.#shownAt < SHOW_MS) return;
    this.#shownAt = now;
    this.found = this.#count;
  }

  #rest(): void {
    if (this.#soon) clearTimeout(this.#soon);
    this.#soon = null;
    this.active = false;
    this.lasts = false;
    this.found = 0;
    removeEventListener('beforeunload', this.#ask);
  }

  #ask = (event: Event): void => event.preventDefault();
}
