import type { OnConflict } from '$lib/api/urls';

/** From this size on a file goes in as many requests as it takes, and what has arrived stays. In bytes. */
export const LARGE = 8 * 1024 * 1024;

/**
 * waiting → sending → done, or failed (can be tried again), conflict (waits for an answer), skipped, cancelled.
 * `paused` waits for something outside: the network, a sign-in, or the time that the server named; `held` for the reader,
 * who stopped it; `unfinished` for the file, which the browser has forgotten since it was begun.
 */
export type State =
  | 'waiting'
  | 'sending'
  | 'paused'
  | 'held'
  | 'unfinished'
  | 'conflict'
  | 'done'
  | 'failed'
  | 'skipped'
  | 'cancelled';

export interface Item {
  readonly id: number;
  /** What was given at once has one number: an answer for all is for that. */
  readonly batch: number;
  readonly name: string;
  /** Folders below the target, joined by `/`; `''` for the target itself. */
  readonly path: string;
  readonly folderId: string;
  /** The folder's name, for people. */
  readonly folderName: string;
  readonly size: number;
  readonly state: State;
  /** Bytes that have left; may be all of them while the server still works. */
  readonly sent: number;
  readonly onConflict: OnConflict;
  /** Why it failed, in words. */
  readonly reason: string;
  /** The file's id once it is there. */
  readonly fileId: string | null;
  /** It is a file that was there already, perhaps by an attempt whose answer was lost. */
  readonly found: boolean;
  /** Attempts that ended by themselves, without anyone asking. */
  readonly attempts: number;
  /** The upload that can be gone on with, where it was begun as one; what has arrived of it stays. */
  readonly uploadId: string | null;
  /** The id of the file whose name it wants, while that is in the way. */
  readonly existingId: string | null;
}

/** Whether a file can be stopped and gone on with. */
export const goesOn = (item: Item): boolean => item.size >= LARGE;

/** What every file begins with. */
export const blank = {
  batch: 0,
  path: '',
  state: 'waiting',
  sent: 0,
  onConflict: 'fail',
  reason: '',
  fileId: null,
  found: false,
  attempts: 0,
  uploadId: null,
  existingId: null,
} as const;

export type Event =
  | { type: 'start' }
  | { type: 'progress'; sent: number }
  | { type: 'succeed'; fileId: string; found?: boolean }
  | { type: 'conflict'; existingId: string | null }
  | { type: 'resolve'; with: 'rename' | 'replace' | 'skip' }
  | { type: 'fail'; reason: string }
  | { type: 'pause'; reason: string }
  | { type: 'resume' }
  | { type: 'again' }
  | { type: 'begun'; uploadId: string | null }
  | { type: 'hold' }
  | { type: 'lose'; reason: string }
  | { type: 'release' }
  | { type: 'retry' }
  | { type: 'cancel'; reason?: string };

const finished: ReadonlySet<State> = new Set(['done', 'skipped', 'cancelled']);
const open: ReadonlySet<State> = new Set(['waiting', 'sending', 'paused']);

/** True while there is something for the page itself to do. */
export const isOpen = (item: Item): boolean => open.has(item.state);
/** True if nothing will happen any more unless somebody asks. */
export const isFinished = (item: Item): boolean => finished.has(item.state);

/** What an event makes of an item; an event that does not fit its state changes nothing. */
export function step(item: Item, event: Event): Item {
  const is = (...states: State[]) => states.includes(item.state);
  // What has arrived of an upload that can be gone on with is not sent again.
  const kept = item.uploadId ? item.sent : 0;
  switch (event.type) {
    case 'start':
      return is('waiting') ? { ...item, state: 'sending', sent: kept, reason: '' } : item;
    case 'progress':
      if (!is('sending')) return item;
      // A line that carried something is no failing one, however often it breaks.
      return {
        ...item,
        sent: Math.min(event.sent, item.size),
        attempts: item.uploadId && event.sent > item.sent ? 0 : item.attempts,
      };
    case 'begun':
      return { ...item, uploadId: event.uploadId, sent: event.uploadId ? item.sent : 0 };
    case 'hold':
      return is('waiting', 'sending', 'paused') ? { ...item, state: 'held', sent: kept, reason: '' } : item;
    case 'lose':
      return is('sending') ? { ...item, state: 'unfinished', reason: event.reason } : item;
    case 'release':
      return is('held', 'unfinished') ? { ...item, state: 'waiting', reason: '' } : item;
    case 'succeed':
      return is('sending')
        ? { ...item, state: 'done', sent: item.size, fileId: event.fileId, found: event.found ?? false }
        : item;
    case 'conflict':
      return is('sending', 'waiting') ? { ...item, state: 'conflict', sent: kept, existingId: event.existingId } : item;
    case 'resolve':
      if (!is('conflict')) return item;
      if (event.with === 'skip') return { ...item, state: 'skipped' };
      return { ...item, state: 'waiting', onConflict: event.with };
    case 'fail':
      return is('sending', 'waiting', 'paused') ? { ...item, state: 'failed', sent: kept, reason: event.reason } : item;
    case 'pause':
      return is('sending')
        ? { ...item, state: 'paused', sent: kept, reason: event.reason, attempts: item.attempts + 1 }
        : item;
    case 'resume':
      return is('paused') ? { ...item, state: 'waiting', reason: '' } : item;
    // Ended for the sake of another one that went with it.
    case 'again':
      return is('sending') ? { ...item, state: 'waiting', sent: kept } : item;
    case 'retry':
      return is('failed', 'cancelled', 'paused', 'skipped')
        ? { ...item, state: 'waiting', sent: kept, reason: '', attempts: 0 }
        : item;
    case 'cancel':
      return is('waiting', 'sending', 'paused', 'held', 'unfinished', 'conflict', 'failed')
        ? { ...item, state: 'cancelled', sent: 0, uploadId: null, reason: event.reason ?? '' }
        : item;
  }
}

export interface Totals {
  files: number;
  open: number;
  done: number;
  failed: number;
  conflicts: number;
  /** Waiting for the reader: stopped, or without their file. */
  held: number;
  /** Bytes of all files that are, or are to be, uploaded: what was skipped, cancelled or failed does not count. */
  bytes: number;
  sent: number;
}

export function totalsOf(items: Iterable<Item>): Totals {
  const totals: Totals = { files: 0, open: 0, done: 0, failed: 0, conflicts: 0, held: 0, bytes: 0, sent: 0 };
  for (const item of items) {
    totals.files += 1;
    if (item.state === 'done') totals.done += 1;
    else if (item.state === 'failed') totals.failed += 1;
    else if (item.state === 'conflict') totals.conflicts += 1;
    else if (item.state === 'held' || item.state === 'unfinished') totals.held += 1;
    else if (isOpen(item)) totals.open += 1;
    if (item.state === 'done' || item.state === 'conflict' || isOpen(item)) {
      totals.bytes += item.size;
      totals.sent += item.sent;
    }
  }
  return totals;
}

/** Seconds before the next attempt of its own: 1, 2, 4 … 30, or what the server asked for. */
export function backoffSeconds(attempts: number, asked: number | null): number {
  return Math.max(asked ?? 0, Math.min(30, 2 ** Math.max(0, attempts - 1)));
}
