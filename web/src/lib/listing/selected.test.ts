import { describe, expect, it, vi } from 'vitest';
import type { File } from '$lib/api/types';
import type { Source } from './sources';

vi.mock('$lib/i18n', () => ({ t: (key: string) => key }));

const { Listing } = await import('./listing.svelte');
const { SelectionState } = await import('./selected.svelte');
const { toasts } = await import('$lib/state/toasts.svelte');
const { forgetSteps } = await import('$lib/state/undo');

const COUNT = 1100;

/** A folder of many, of which the first hundred are loaded, and the entries that it still has. */
async function folder() {
  const entries = Array.from({ length: COUNT }, (_, n) => ({ id: `f${n}`, name: `${n}` }) as File);
  const source: Source = {
    key: 'many',
    paged: 'offset',
    page: async ({ offset, limit }) => ({
      items: entries.slice(offset, offset + limit),
      nextCursor: null,
      total: entries.length,
    }),
  };
  const listing = new Listing(source);
  listing.ensure(0, 10);
  await vi.waitFor(() => expect(listing.total).toBe(COUNT));
  return { entries, source, listing, selection: new SelectionState(listing) };
}

const first = { id: 'f0' } as File;

describe('what is selected of a list that is not all loaded', () => {
  it('a range over entries never looked at is all there when it is acted on', async () => {
    const { selection } = await folder();
    selection.only(first, 0);
    await selection.extendTo(COUNT - 1, false);
    expect(selection.count).toBe(COUNT);
    expect(selection.files.length).toBe(COUNT);
    expect((await selection.resolve())?.length).toBe(COUNT);
  });

  it('everything but one is read before it is acted on', async () => {
    const { selection } = await folder();
    selection.selectAll();
    selection.toggle(first, 0);
    const files = await selection.resolve();
    expect(files?.length).toBe(COUNT - 1);
    expect(new Set(files?.map(({ id }) => id)).size).toBe(COUNT - 1);
  });

  it('what the list has lost sight of is read again, and what is gone is no longer counted', async () => {
    const { entries, listing, selection } = await folder();
    selection.only(first, 0);
    await selection.extendTo(COUNT - 1, false);
    listing.items = listing.items.map((file, at) => (at < 100 ? file : undefined));
    entries.splice(700, 1);
    const files = await selection.resolve();
    expect(files?.map(({ id }) => id)).toEqual(entries.map(({ id }) => id));
    expect(selection.count).toBe(COUNT - 1);
  });

  it('is nothing of whoever is here when it has been read', async () => {
    const { source, selection } = await folder();
    selection.selectAll();
    const { page } = source;
    source.page = (at, signal) => {
      forgetSteps();
      return page(at, signal);
    };
    expect(await selection.resolve()).toBeNull();
  });

  it('is not cut short where it cannot be read', async () => {
    const { source, selection } = await folder();
    selection.only(first, 0);
    source.page = () => Promise.reject(new Error('no line'));
    await selection.extendTo(COUNT - 1, false);
    expect(selection.count).toBe(1);
    selection.selectAll();
    expect(await selection.resolve()).toBeNull();
    expect(selection.count).toBe(COUNT);
    expect(toasts.list.at(-1)?.tone).toBe('error');
  });
});

describe('the cursor of the keyboard', () => {
  /** The list is read again, as far as it is loaded. */
  async function readAgain(listing: Awaited<ReturnType<typeof folder>>['listing'], of: { id: string }[]) {
    listing.refresh();
    await vi.waitFor(() =>
      expect(listing.items.slice(0, 3).map((file) => file?.id)).toEqual(of.slice(0, 3).map(({ id }) => id)),
    );
  }

  it('stays on its file when others come and go before it', async () => {
    const { entries, listing, selection } = await folder();
    selection.cursor = 2;
    entries.unshift({ id: 'new', name: 'new' } as File);
    await readAgain(listing, entries);
    expect(selection.cursor).toBe(3);
    entries.splice(0, 3);
    await readAgain(listing, entries);
    expect(selection.cursor).toBe(0);
  });

  it('stays on what was clicked, wherever that is by the time it is taken', async () => {
    const { entries, listing, selection } = await folder();
    entries.unshift({ id: 'new', name: 'new' } as File);
    await readAgain(listing, entries);
    // a finger that was held on it while it moved
    selection.toggle(first, 0);
    expect(selection.cursor).toBe(1);
    expect(listing.items[selection.cursor]).toMatchObject(first);
  });

  it('stays where it is when its file goes, on what stands there then, until the file is back', async () => {
    const { entries, listing, selection } = await folder();
    selection.cursor = 1;
    const [gone] = entries.splice(1, 1);
    await readAgain(listing, entries);
    expect(selection.cursor).toBe(1);
    entries.unshift({ id: 'new', name: 'new' } as File);
    await readAgain(listing, entries);
    expect(listing.items[selection.cursor]?.id).toBe('f2');
    if (gone) entries.splice(2, 0, gone);
    await readAgain(listing, entries);
    expect(listing.items[selection.cursor]?.id).toBe('f1');
  });

  it('finds the file of an entry that was not loaded when it came there', async () => {
    const { entries, listing, selection } = await folder();
    selection.cursor = 500;
    expect(selection.cursor).toBe(500);
    await listing.read(0, COUNT, new AbortController().signal);
    expect(selection.cursor).toBe(500);
    entries.shift();
    await listing.read(0, COUNT, new AbortController().signal);
    expect(listing.items[selection.cursor]?.id).toBe('f500');
  });
});
