import { elementScroll, observeElementOffset, observeElementRect, Virtualizer } from '@tanstack/virtual-core';
import { untrack } from 'svelte';

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
  start: number;
}

/** Only the rows that can be seen, and a few around them. To be made while a component is set up. */
export function createVirtual(options: () => Options) {
  let version = $state(0);
  /** While its answers are being read they are right already, and state must not be changed. */
  let reading = false;
  const bump = () => {
    if (!reading) untrack(() => (version += 1));
  };
  const read = <T>(what: () => T): T => {
    reading = true;
    try {
      return what();
    } finally {
      reading = false;
    }
  };

  const resolve = ({ count, rowSize, scroller, before, startAt, covered, spare }: Options) => ({
    count,
    getScrollElement: () => scroller,
    estimateSize: typeof rowSize === 'number' ? () => rowSize : rowSize,
    scrollMargin: before,
    scrollPaddingStart: covered ?? 0,
    overscan: spare ?? 6,
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
      return read(() => virtualizer.getVirtualItems()).map(({ index, start }) => ({ index, start: start - margin }));
    },
    get size(): number {
      version;
      return read(() => virtualizer.getTotalSize());
    },
    /** Rows that fit into the window, for Page Up and Page Down. */
    get perPage(): number {
      const { scroller, count } = options();
      const average = virtualizer.getTotalSize() / Math.max(1, count);
      return Math.max(1, Math.floor((scroller?.clientHeight ?? 0) / Math.max(1, average)) - 1);
    },
    show(index: number): void {
      virtualizer.scrollToIndex(index, { align: 'auto' });
    },
  };
}
