import { describe, expect, it } from 'vitest';
import type { Drop } from './drops.svelte';
import { ROWS, shown } from './shown';

const drops = (count: number, state: (at: number) => Drop['state'] = () => 'waiting') =>
  Array.from(
    { length: count },
    (_, id): Drop => ({ id, name: `${id}`, size: 1, sent: 0, state: state(id), reason: '', receipt: null }),
  );
const idsOf = (some: Drop[]) => some.map(({ id }) => id);

describe('the rows of what is put in', () => {
  it('are all of them, if they are few', () => {
    expect(shown(drops(ROWS), ROWS)).toHaveLength(ROWS);
  });

  it('are the first of thousands, in their order, and more if that is wished', () => {
    const many = drops(5_000);
    expect(idsOf(shown(many, ROWS))).toEqual(idsOf(many.slice(0, ROWS)));
    expect(idsOf(shown(many, 2 * ROWS))).toEqual(idsOf(many.slice(0, 2 * ROWS)));
  });

  it('are also those that are being sent, or want something of the visitor', () => {
    const states: Record<number, Drop['state']> = { 700: 'failed', 900: 'taken', 1000: 'sending', 1200: 'done' };
    const many = drops(5_000, (at) => states[at] ?? 'waiting');
    expect(idsOf(shown(many, ROWS)).slice(ROWS)).toEqual([700, 900, 1_000]);
  });

  it('do not go from under whoever is in one, or has just cancelled one', () => {
    const states: Record<number, Drop['state']> = { 700: 'done', 800: 'cancelled', 900: 'done' };
    const many = drops(5_000, (at) => states[at] ?? 'waiting');
    expect(idsOf(shown(many, ROWS, 900)).slice(ROWS)).toEqual([800, 900]);
    const failed = drops(5_000, () => 'failed');
    expect(idsOf(shown(failed, ROWS, 4_000)).slice(2 * ROWS)).toEqual([4_000]);
  });

  it('are not thousands if all of them fail', () => {
    const many = drops(5_000, () => 'failed');
    expect(shown(many, ROWS)).toHaveLength(2 * ROWS);
  });
});
