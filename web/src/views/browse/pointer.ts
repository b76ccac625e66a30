import type { File } from '$lib/api/types';
import { drag } from '$lib/files/drag.svelte';
import type { Listing } from '$lib/listing/listing.svelte';
import type { SelectionState } from '$lib/listing/selected.svelte';
import type { Commands } from './types';

const LONG_PRESS_MS = 450;
const STILL_PX = 10;

interface Place {
  readonly listing: Listing;
  readonly selection: SelectionState;
  readonly commands: Commands;
}

/**
 * Mouse and finger on entries. A mouse selects by a click and opens by two; a finger opens by a tap, selects by a long
 * press, and from then on by taps until nothing is selected any more.
 */
export function entryPointer(place: Place) {
  let finger = false;
  let press: { timer: ReturnType<typeof setTimeout>; x: number; y: number } | null = null;
  let longPressed = false;

  const cancelPress = () => {
    if (press) clearTimeout(press.timer);
    press = null;
  };

  const ensureSelected = (file: File, index: number) => {
    if (!place.selection.has(file.id)) place.selection.only(file, index);
    else place.selection.cursor = index;
  };

  return {
    down(event: PointerEvent, file: File, index: number): void {
      finger = event.pointerType !== 'mouse';
      longPressed = false;
      cancelPress();
      if (!finger) return;
      const timer = setTimeout(() => {
        longPressed = true;
        place.selection.toggle(file, index);
        navigator.vibrate?.(10);
      }, LONG_PRESS_MS);
      press = { timer, x: event.clientX, y: event.clientY };
    },

    moved(event: PointerEvent): void {
      if (press && Math.hypot(event.clientX - press.x, event.clientY - press.y) > STILL_PX) cancelPress();
    },

    up: cancelPress,

    /** The click that ends a long press is no click, whatever lies under the finger by then. */
    clickCapture(event: MouseEvent): void {
      if (!longPressed) return;
      longPressed = false;
      event.stopPropagation();
      event.preventDefault();
    },

    click(event: MouseEvent, file: File, index: number): void {
      const { selection, commands } = place;
      if (finger && selection.empty) {
        commands.open(file, index);
      } else if (finger || event.ctrlKey || event.metaKey) {
        if (event.shiftKey) selection.extendTo(index, true);
        else selection.toggle(file, index);
      } else if (event.shiftKey) {
        selection.extendTo(index, false);
      } else {
        selection.only(file, index);
      }
    },

    doubleClick(file: File, index: number): void {
      if (!finger) place.commands.open(file, index);
    },

    contextMenu(event: MouseEvent, file: File, index: number): void {
      event.preventDefault();
      // A long press of a finger arrives here too; it has selected already.
      if (finger) return;
      ensureSelected(file, index);
      place.commands.menu({ x: event.clientX, y: event.clientY });
    },

    more(file: File, index: number, at: Element): void {
      ensureSelected(file, index);
      place.commands.menu(at);
    },

    dragStart(event: DragEvent, file: File, index: number): void {
      ensureSelected(file, index);
      drag.begin(event, place.selection);
    },
  };
}
