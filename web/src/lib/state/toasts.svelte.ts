export interface Toast {
  id: number;
  text: string;
  tone: 'plain' | 'error' | 'busy';
  action?: { label: string; run: () => void };
}

/** How long a message stays: long enough to read it and to reach its button. Errors stay until dismissed. */
const STAY_MS = 8_000;
/** So many at once; beyond that the oldest go of those that would go by themselves. Those that offer something count alone. */
const SHOWN = 3;
/** So many errors, which scroll. */
const ERRORS = 10;

class Toasts {
  list = $state.raw<Toast[]>([]);
  #next = 1;
  #timers = new Map<number, ReturnType<typeof setTimeout>>();
  #held = false;

  show(text: string, options: { tone?: Toast['tone']; action?: Toast['action'] } = {}): number {
    const id = this.#next++;
    const tone = options.tone ?? 'plain';
    // The same once more says no more than once.
    for (const { id: old } of this.list.filter((one) => tone === 'error' && one.tone === tone && one.text === text))
      this.dismiss(old);
    this.list = [...this.list, { id, text, tone, action: options.action }];
    this.#makeRoom();
    this.#count(id);
    return id;
  }

  error(text: string, action?: Toast['action']): number {
    return this.show(text, { tone: 'error', action });
  }

  update(id: number, change: Partial<Omit<Toast, 'id'>>): void {
    this.list = this.list.map((toast) => (toast.id === id ? { ...toast, ...change } : toast));
    this.#count(id);
  }

  dismiss(id: number): void {
    clearTimeout(this.#timers.get(id));
    this.#timers.delete(id);
    this.list = this.list.filter((toast) => toast.id !== id);
    // Not everywhere is it told that what went had the focus.
    if (this.list.length === 0) this.#held = false;
  }

  clear(): void {
    for (const { id } of this.list) this.dismiss(id);
  }

  /** Nothing goes away while somebody points at it or has the focus in it. */
  hold(held: boolean): void {
    this.#held = held;
    this.#makeRoom();
    for (const toast of this.list) this.#count(toast.id);
  }

  #makeRoom(): void {
    if (this.#held) return;
    const news = this.list.filter(({ tone, action }) => tone === 'plain' && !action);
    this.#leave(news, this.list.length - SHOWN);
    const offers = this.list.filter(({ tone, action }) => tone === 'plain' && action);
    this.#leave(offers, offers.length - SHOWN);
    const errors = this.list.filter(({ tone }) => tone === 'error');
    this.#leave(errors, errors.length - ERRORS);
  }

  /** The oldest of some go, but never the newest message. */
  #leave(some: Toast[], count: number): void {
    const newest = this.list.at(-1);
    for (const one of some.slice(0, Math.max(0, count))) if (one !== newest) this.dismiss(one.id);
  }

  #count(id: number): void {
    clearTimeout(this.#timers.get(id));
    const toast = this.list.find((one) => one.id === id);
    if (toast?.tone !== 'plain' || this.#held) return;
    this.#timers.set(
      id,
      setTimeout(() => this.dismiss(id), STAY_MS),
    );
  }
}

export const toasts = new Toasts();
