import { type GridLayout, vertical } from '$lib/listing/grid-layout';
import type { Listing } from '$lib/listing/listing.svelte';
import { clampIndex } from '$lib/listing/pages';
import type { SelectionState } from '$lib/listing/selected.svelte';
import type { Commands } from './types';

interface Grid {
  listing: Listing;
  selection: SelectionState;
  commands: Commands;
  layout: GridLayout;
  columns: number;
  perPage: number;
  show: (index: number) => void;
  /** The element of the entry with the cursor, for a menu to stand at. */
  element: () => Element | null;
}

/** Where a key leads from `at`; null if it is no key that moves. */
function destination(key: string, at: number, { layout, columns, perPage }: Grid, total: number): number | null {
  const rtl = document.documentElement.dir === 'rtl';
  const forward = rtl ? 'ArrowLeft' : 'ArrowRight';
  const back = rtl ? 'ArrowRight' : 'ArrowLeft';
  switch (key) {
    case 'ArrowDown':
      return vertical(layout, at, 1);
    case 'ArrowUp':
      return vertical(layout, at, -1);
    case forward:
      return columns > 1 ? at + 1 : null;
    case back:
      return columns > 1 ? at - 1 : null;
    case 'Home':
      return 0;
    case 'End':
      return total - 1;
    case 'PageDown':
      return vertical(layout, at, perPage);
    case 'PageUp':
      return vertical(layout, at, -perPage);
    default:
      return null;
  }
}

/** The keys of a list of entries. */
export function handleKey(event: KeyboardEvent, grid: Grid): void {
  const { listing, selection, commands } = grid;
  const total = listing.total ?? 0;
  const ctrl = event.ctrlKey || event.metaKey;
  const done = () => {
    event.preventDefault();
    selection.cursorShown = true;
  };
  const file = listing.items[selection.cursor];
  // From the first key on the cursor is drawn, and no ring round the whole list.
  if (file && !['Shift', 'Control', 'Meta', 'Alt'].includes(event.key)) selection.cursorShown = true;

  const to = event.altKey ? null : destination(event.key, Math.max(0, selection.cursor), grid, total);
  if (to !== null && total > 0) {
    done();
    const index = clampIndex(selection.cursor < 0 && event.key.startsWith('Arrow') ? 0 : to, total);
    grid.show(index);
    if (event.shiftKey) selection.extendTo(index, ctrl);
    else {
      selection.cursor = index;
      const next = listing.items[index];
      if (!ctrl && next) selection.only(next, index);
      else if (!ctrl) selection.clear();
    }
  } else if (event.key === 'a' && ctrl) {
    done();
    selection.selectAll();
  } else if (event.key === ' ' && file) {
    done();
    selection.toggle(file, selection.cursor);
  } else if (event.key === 'Enter' && file && !ctrl) {
    done();
    commands.open(file, selection.cursor);
  } else if ((event.key === 'ContextMenu' || (event.key === 'F10' && event.shiftKey)) && file) {
    done();
    if (!selection.has(file.id)) selection.only(file, selection.cursor);
    const element = grid.element();
    if (element) commands.menu(element);
  } else if (event.key === 'Escape' && !selection.empty) {
    done();
    selection.clear();
  } else if (commands.key(event)) {
    event.preventDefault();
  }
}
