import { tick, untrack } from 'svelte';
import { type RowPlaces, rowPlaces } from './row-places';

interface Options {
  count: number;
  /** Pixels of a row, its gap included. */
  rowSize: number | ((row: number) => number);
  scroller: HTMLElement | null;
  /** Pixels between the scroller's beginning and the first row. */
  before: number;
  startAt?: number;
  /** Pixels at the scroller's beginning that something stands over, such as a head that stays: no row is brought below it. */
  covered?: number;
  /** Rows beyond those that can be seen that are kept ready. */
  spare?: number;
}

export interface VirtualRow {
  index: number;
  /** Pixels from the beginning of the first row. */
  start: number;
}

const SPARE = 6;
/** Whoever scrolls that soon sees rows come in. */
const SPARE_AFTER_MS = 150;

/** Only the rows that can be seen, and a few around them. To be made while a component is set up. */
export function createVirtual(options: () => Options) {
  let top = $state(untrack(() => options().startAt ?? 0));
  let height = $state(0);
  /** What can be seen is there first. */
  let ready = $state(false);
  let placed = false;

  const scroller = $derived(options().scroller);
  const before = $derived(options().before);
  const places = $derived.by(() => {
    const { count, rowSize } = options();
    return rowPlaces(count, rowSize);
  });
  const spare = $derived(ready ? (options().spare ?? SPARE) : 0);
  const first = $derived(Math.max(0, places.at(top - before) - spare));
  const end = $derived.by(() => {
    const { count } = options();
    return height > 0 ? Math.min(count, places.at(top - before + height) + 1 + spare) : 0;
  });
  const rows = $derived.by((): VirtualRow[] =>
    Array.from({ length: Math.max(0, end - first) }, (_, at) => ({
      index: first + at,
      start: places.start(first + at),
    })),
  );

  /** Scrolls, and once more when what has changed with it is drawn: until then there may be no such place. */
  const toPlace = (element: HTMLElement, place: number) => {
    const go = () => {
      element.scrollTop = place;
      top = element.scrollTop;
    };
    go();
    if (element.scrollTop < Math.floor(place)) tick().then(go);
  };

  $effect(() => {
    const element = scroller;
    if (!element) return;
    const moved = () => {
      top = element.scrollTop;
    };
    const sized = () => {
      height = element.clientHeight;
    };
    sized();
    // One that is drawn anew stands at its beginning.
    if (placed) element.scrollTop = untrack(() => top);
    element.addEventListener('scroll', moved, { passive: true });
    const watched = new ResizeObserver(sized);
    watched.observe(element);
    return () => {
      element.removeEventListener('scroll', moved);
      watched.disconnect();
    };
  });

  // As soon as there is something to be scrolled to.
  $effect(() => {
    if (placed || !scroller || places.size === 0) return;
    placed = true;
    const [element, startAt] = [scroller, untrack(() => options().startAt ?? 0)];
    if (startAt > 0) toPlace(element, startAt);
    else top = element.scrollTop;
  });

  const any = $derived(rows.length > 0);
  $effect(() => {
    if (ready || !any) return;
    const timer = setTimeout(() => (ready = true), SPARE_AFTER_MS);
    return () => clearTimeout(timer);
  });

  return {
    get rows(): VirtualRow[] {
      return rows;
    },
    get size(): number {
      return places.size;
    },
    get places(): RowPlaces {
      return places;
    },
    /** Rows that fit into the window, for Page Up and Page Down. */
    get perPage(): number {
      const average = places.size / Math.max(1, options().count);
      return Math.max(1, Math.floor(height / Math.max(1, average)) - 1);
    },
    /** Scrolls as little as it takes to see a row. */
    show(row: number): void {
      if (!scroller) return;
      const covered = options().covered ?? 0;
      const [from, to] = [before + places.start(row), before + places.start(row + 1)];
      if (from - covered < scroller.scrollTop) toPlace(scroller, from - covered);
      else if (to > scroller.scrollTop + scroller.clientHeight) toPlace(scroller, to - scroller.clientHeight);
    },
  };
}
