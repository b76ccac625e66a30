import { bundled, SEEN } from './bundle';
import type { Item } from './queue';

/** The numbers of what waits for its turn, in the order in which it came. */
export class Waiting {
  /** Whether the server takes several files in one request. */
  bundles = true;
  #ids: number[] = [];

  push(id: number): void {
    this.#ids.push(id);
  }

  clear(): void {
    this.#ids = [];
  }

  /** Takes what goes next, in one of `lines` requests. What `ready` gives null for waits no more. */
  take(ready: (id: number) => Item | null, lines: number): Item[] {
    const items: Item[] = [];
    let passed = 0;
    for (const id of this.#ids) {
      const item = ready(id);
      if (item && !items.includes(item)) items.push(item);
      else if (items.length > 0) break;
      else passed += 1;
      if (items.length >= (this.bundles ? SEEN * lines : 1)) break;
    }
    const count = bundled(items, lines);
    this.#ids.splice(0, passed + count);
    return items.slice(0, count);
  }
}
