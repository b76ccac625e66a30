import { elementScroll, observeElementOffset, observeElementRect, Virtualizer } from '@tanstack/virtual-core';
import { untrack } from 'svelte';

interface Options {
  count: number;
  /** Pixels of a row, its gap included. */
  rowSize: number;
  scroller: HTMLElement | null;
  /** Pixels between the scroller's beginning and the first row. */
  before: number;
  startAt?: number;
}

export interface VirtualRow {
  index: number;
  start: number;
}

/** Only the rows that can be seen, and a few around them. To be made while a component is set up. */
export function createVirtual(options: () => Options) {
  let version = $state(0);
  const bump = () => untrack(() => (version += 1));

  const resolve = ({ count, rowSize, scroller, before, startAt }: Options) => ({
    count,
    getScrollElement: () => scroller,
    estimateSize: () => rowSize,
    scrollMargin: before,
    overscan: 6,
    initialOffset: startAt ?? 0,
    scrollToFn: elementScroll,
    observeElementRect,
    observeElementOffset,
    onChange: bump,
  });

  const virtualizer = new Virtualizer<HTMLElement, HTMLElement>(untrack(() => resolve(options())));
  $effect(() => virtualizer._didMount());
  $effect(() => {
    virtualizer.setOptions(resolve(options()));
    virtualizer._willUpdate();
    virtualizer.measure();
    bump();
  });

  return {
    get rows(): VirtualRow[] {
      version;
      const margin = untrack(() => options().before);
      return virtualizer.getVirtualItems().map(({ index, start }) => ({ index, start: start - margin }));
    },
    get size(): number {
      version;
      return virtualizer.getTotalSize();
    },
    /** Rows that fit into the window, for Page Up and Page Down. */
    get perPage(): number {
      const { scroller, rowSize } = options();
      return Math.max(1, Math.floor((scroller?.clientHeight ?? 0) / rowSize) - 1);
    },
    show(index: number): void {
      virtualizer.scrollToIndex(index, { align: 'auto' });
    },
  };
}
