import { describe, expect, it, vi } from 'vitest';
import type { File } from '$lib/api/types';
import { Listing } from './listing.svelte';
import type { Source } from './sources';

const file = (id: string) => ({ id, name: id, type: 'file' }) as File;

/** A folder that has been read, whose entries may be changed, and which counts how often it is read. */
async function folder(paged: Source['paged'] = 'offset') {
  const entries = [file('b'), file('c')];
  const page = vi.fn(async () => ({ items: [...entries], nextCursor: null, total: entries.length }));
  const listing = new Listing({ key: 'folder', paged, page });
  listing.ensure(0, 10);
  await vi.waitFor(() => expect(shown(listing)).toEqual(['b', 'c']));
  page.mockClear();
  return { entries, listing, page };
}

const shown = (listing: Listing) => listing.items.map((one) => one?.id);

describe.each(['offset', 'cursor'] as const)('a list by %s that is held', (paged) => {
  it('is not read again until it is let go, and then once', async () => {
    const { entries, listing, page } = await folder(paged);
    const letGo = listing.hold();
    entries.unshift(file('a'));
    listing.refresh();
    listing.refresh();
    listing.ensure(0, 20);
    await listing.change(
      (items) => items,
      async () => {},
    );
    expect(page).not.toHaveBeenCalled();
    expect(shown(listing)).toEqual(['b', 'c']);
    letGo();
    await vi.waitFor(() => expect(shown(listing)).toEqual(['a', 'b', 'c']));
    expect(page).toHaveBeenCalledTimes(1);
  });

  it('does not take an answer to what was asked for before, and asks again', async () => {
    const { entries, listing, page } = await folder(paged);
    entries.unshift(file('a'));
    listing.refresh();
    const answer = page.mock.results[0]?.value;
    const letGo = listing.hold();
    await answer;
    await Promise.resolve();
    expect(shown(listing)).toEqual(['b', 'c']);
    letGo();
    await vi.waitFor(() => expect(shown(listing)).toEqual(['a', 'b', 'c']));
  });

  it('is read once more by each refresh after that', async () => {
    const { listing, page } = await folder(paged);
    const [one, other] = [listing.hold(), listing.hold()];
    one();
    one();
    listing.refresh();
    expect(page).not.toHaveBeenCalled();
    other();
    expect(page).toHaveBeenCalledTimes(1);
    listing.refresh();
    expect(page).toHaveBeenCalledTimes(2);
  });
});
