import type { File } from '$lib/api/types';
import { type Places, touched } from '$lib/listing/band';
import type { Listing } from '$lib/listing/listing.svelte';
import type { SelectionState } from '$lib/listing/selected.svelte';

/** A press that moves less is a click. */
const STILL_PX = 5;
/** So near to an edge the list begins to scroll, ever faster. */
const EDGE_PX = 48;
const FASTEST_PX = 24;

interface Place {
  readonly listing: Listing;
  readonly selection: SelectionState;
  readonly scroller: HTMLElement | null;
  readonly space: HTMLElement | undefined;
  readonly places: Places;
}

/**
 * Whether a band may begin here, since nothing could be dragged from it: between entries, and on the emptier part of a
 * row that is not selected.
 */
export function isFree(target: EventTarget | null, layout: 'list' | 'grid'): boolean {
  if (!(target instanceof Element) || target.closest('button, input, a, [role=columnheader]')) return false;
  const entry = target.closest('.entry');
  if (!entry) return true;
  return layout === 'list' && entry.getAttribute('aria-selected') !== 'true' && !target.closest('.grip');
}

/**
 * The rubber band: a rectangle drawn with the mouse from an empty spot, that selects what it touches. It is kept in the
 * coordinates of the list, so that it grows while one scrolls.
 */
export function rubberBand(place: Place) {
  let drawn = $state.raw<{ x: number; y: number; width: number; height: number } | null>(null);
  let press: { x: number; y: number; add: boolean; before: ReadonlySet<string> } | null = null;
  let pointer = { x: 0, y: 0 };
  let frame = 0;
  let justEnded = false;

  /** A point of the window in the list. */
  const inList = (x: number, y: number) => {
    const box = place.space?.getBoundingClientRect();
    return { x: x - (box?.left ?? 0), y: y - (box?.top ?? 0) };
  };

  function follow(): void {
    if (!press) return;
    const now = inList(pointer.x, pointer.y);
    if (!drawn && Math.hypot(now.x - press.x, now.y - press.y) < STILL_PX) return;
    const box = {
      left: Math.min(press.x, now.x),
      right: Math.max(press.x, now.x),
      top: Math.min(press.y, now.y),
      bottom: Math.max(press.y, now.y),
    };
    drawn = { x: box.left, y: box.top, width: box.right - box.left, height: box.bottom - box.top };
    const found = touched(box, place.places);
    const files = found.map((index) => place.listing.items[index]);
    place.selection.band(
      files.filter((file): file is File => file !== undefined),
      press.add ? press.before : null,
    );
  }

  /** While the pointer is near an edge, or beyond it, the list scrolls. */
  function scroll(): void {
    const { scroller } = place;
    if (!press || !scroller) return;
    if (drawn) {
      const box = scroller.getBoundingClientRect();
      const above = Math.max(0, box.top + EDGE_PX - pointer.y);
      const below = Math.max(0, pointer.y - (box.bottom - EDGE_PX));
      const by = Math.min(FASTEST_PX, below / 3) - Math.min(FASTEST_PX, above / 3);
      if (by !== 0) {
        scroller.scrollBy(0, by);
        follow();
      }
    }
    frame = requestAnimationFrame(scroll);
  }

  async function end(take: boolean, held = false): Promise<void> {
    const last = press;
    cancelAnimationFrame(frame);
    removeEventListener('pointermove', moved);
    removeEventListener('pointerup', up);
    removeEventListener('pointercancel', up);
    removeEventListener('keydown', keyed, true);
    justEnded = drawn !== null;
    // The click that follows at once belongs to the band, or that of the button which is held still.
    const over = () => setTimeout(() => (justEnded = false));
    if (held) addEventListener('pointerup', over, { once: true });
    else over();
    const box = drawn;
    drawn = null;
    press = null;
    if (!take || !last || !box) return;
    const found = touched(
      { left: box.x, top: box.y, right: box.x + box.width, bottom: box.y + box.height },
      place.places,
    );
    const [first, final] = [found[0], found.at(-1)];
    if (first === undefined || final === undefined) return;
    place.selection.cursor = final;
    if (found.every((index) => place.listing.items[index])) return;
    // What was passed over too fast to be loaded is selected as well.
    const stretch = await place.selection.stretch(first, final + 1);
    if (!stretch) return;
    place.selection.band(
      found.map((index) => stretch[index - first]).filter((file): file is File => file !== undefined),
      last.add ? last.before : null,
    );
  }

  function moved(event: PointerEvent): void {
    pointer = { x: event.clientX, y: event.clientY };
    follow();
  }
  const up = (event: PointerEvent): void => void end(event.type === 'pointerup');
  function keyed(event: KeyboardEvent): void {
    if (event.key !== 'Escape' || !drawn || !press) return;
    event.stopPropagation();
    place.selection.band([], press.before);
    end(false, true);
  }

  return {
    get drawn() {
      return drawn;
    },
    /** True from the press of the button on: what is drawn is a band, and nothing is dragged. */
    get pressed() {
      return press !== null;
    },
    /** True for the click that ends a band, which means nothing else. */
    get justEnded() {
      return justEnded;
    },
    begin(event: PointerEvent): void {
      if (event.pointerType !== 'mouse' || event.button !== 0 || event.shiftKey || !place.scroller) return;
      // The bar at the side is the browser's own.
      const box = place.scroller.getBoundingClientRect();
      const x = event.clientX - box.left - place.scroller.clientLeft;
      if (x < 0 || x > place.scroller.clientWidth) return;
      const { selection } = place;
      const before = new Set(selection.all ? [] : selection.files.map((file) => file.id));
      pointer = { x: event.clientX, y: event.clientY };
      press = { ...inList(event.clientX, event.clientY), add: event.ctrlKey || event.metaKey, before };
      addEventListener('pointermove', moved);
      addEventListener('pointerup', up);
      addEventListener('pointercancel', up);
      addEventListener('keydown', keyed, true);
      frame = requestAnimationFrame(scroll);
    },
  };
}
