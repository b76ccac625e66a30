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
    const most = this.bundles ? SEEN * lines : 1;
    const items: Item[] = [];
    /** Where each stands. */
    const places: number[] = [];
    for (const [place, id] of this.#ids.entries()) {
      if (items.length === most) break;
      const item = ready(id);
      // What was stopped meanwhile, or stands there twice, keeps nobody apart.
      if (!item || items.includes(item)) continue;
      items.push(item);
      places.push(place);
    }
    const count = bundled(items, lines);
    this.#ids.splice(0, count > 0 ? (places[count - 1] ?? 0) + 1 : this.#ids.length);
    return items.slice(0, count);
  }
}
