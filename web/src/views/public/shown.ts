import type { Drop } from './drops.svelte';

/** Rows that are drawn at first, and with each wish for more: each of thousands would be gone through at every step of an upload. */
export const ROWS = 100;

export const onTheWay: ReadonlySet<Drop['state']> = new Set(['waiting', 'sending', 'paused']);
/** What is not there, and does not get there by itself. */
export const missed: ReadonlySet<Drop['state']> = new Set(['failed', 'taken', 'unsure', 'unfinished']);

/** What was cancelled can be taken up again. */
const happens = ({ state }: Drop) =>
  state === 'sending' || state === 'paused' || state === 'cancelled' || missed.has(state);

/**
 * The files that have a row: the first ones, and of the others those with which something is happening or has to be done, and the
 * one in which somebody is (`kept`). The order stays, so that nothing moves above what somebody reads.
 */
export function shown(all: Drop[], most: number, kept: Drop['id'] | null = null): Drop[] {
  if (all.length <= most) return all;
  let room = ROWS;
  return all.filter((one, at) => at < most || one.id === kept || (happens(one) && room-- > 0));
}
