import { describe, expect, it, vi } from 'vitest';

vi.mock('$lib/i18n', () => ({ t: (key: string) => key }));

const { CursorList } = await import('./cursor.svelte');

const all = Array.from({ length: 5 }, (_, n) => ({ id: String(n) }));

/** Two a page, whatever is asked for. */
const pages = async ({ cursor }: { cursor?: string }) => {
  const at = Number(cursor ?? 0);
  const next = at + 2;
  return { items: all.slice(at, next), nextCursor: next < all.length ? String(next) : null, total: all.length };
};

describe('CursorList', () => {
  it('goes on where it was, to the end', async () => {
    const list = new CursorList(pages);
    await list.refresh();
    expect([list.items.length, list.complete, list.total]).toEqual([2, false, 5]);
    await list.more();
    await list.more();
    await list.more();
    expect(list.items.map(({ id }) => id)).toEqual(['0', '1', '2', '3', '4']);
    expect(list.complete).toBe(true);
  });

  it('shows what was made first, and takes out what is gone', async () => {
    const list = new CursorList(pages);
    await list.refresh();
    list.put({ id: 'new' });
    list.drop('1');
    list.drop('not there');
    expect(list.items.map(({ id }) => id)).toEqual(['new', '0']);
    expect(list.total).toBe(5);
  });

  it('drops the answer to a question that another one replaced', async () => {
    const answers: ((items: { id: string }[]) => void)[] = [];
    const list = new CursorList<{ id: string }>(
      () => new Promise((resolve) => answers.push((items) => resolve({ items, nextCursor: null }))),
    );
    const first = list.refresh();
    const second = list.refresh();
    answers[1]?.([{ id: 'second' }]);
    await second;
    answers[0]?.([{ id: 'first' }]);
    await first;
    expect(list.items).toEqual([{ id: 'second' }]);
    expect(list.loading).toBe(false);
  });

  it('keeps what it shows when the next page does not come', async () => {
    let fails = false;
    const list = new CursorList(async (at) => {
      if (fails) throw new TypeError('no network');
      return pages(at);
    });
    await list.refresh();
    fails = true;
    await list.more();
    expect([list.items.length, list.error?.cause]).toEqual([2, 'offline']);
    fails = false;
    await list.more();
    expect([list.items.length, list.error]).toEqual([4, null]);
  });
});
