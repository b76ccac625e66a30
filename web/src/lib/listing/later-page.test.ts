import { describe, expect, it, vi } from 'vitest';
import type { File } from '$lib/api/types';
import { Listing } from './listing.svelte';

const all = Array.from({ length: 250 }, (_, n) => ({ id: String(n), type: 'file' }) as File);

/** Gives pages of 100 at most, as long as it does not fail. */
function listOf(paged: 'offset' | 'cursor') {
  const server = { fails: false };
  const listing = new Listing({
    key: paged,
    paged,
    page: async ({ offset, cursor, limit }) => {
      if (server.fails) throw new TypeError('no network');
      const from = cursor === null ? offset : Number(cursor);
      const next = from + Math.min(limit, 100);
      return { items: all.slice(from, next), nextCursor: next < all.length ? String(next) : null, total: all.length };
    },
  });
  return { server, listing };
}

describe.each(['offset', 'cursor'] as const)('a list by %s of which a later page fails', (paged) => {
  it('says so, keeps what it has, and reads the rest when it is asked again', async () => {
    const { server, listing } = listOf(paged);
    listing.ensure(0, 50);
    await vi.waitFor(() => expect(listing.items.filter(Boolean).length).toBe(100));
    server.fails = true;
    listing.ensure(50, 150);
    await vi.waitFor(() => expect(listing.error?.cause).toBe('offline'));
    expect(listing.items.filter(Boolean).length).toBe(100);
    server.fails = false;
    listing.refresh();
    expect(listing.error).toBeNull();
    await vi.waitFor(() => expect(listing.items.filter(Boolean).length).toBe(200));
    expect(listing.items.slice(0, 150)).toEqual(all.slice(0, 150));
  });
});
