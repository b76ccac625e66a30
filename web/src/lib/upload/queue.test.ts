import { describe, expect, it } from 'vitest';
import { backoffSeconds, type Event, type Item, isFinished, isOpen, type State, step, totalsOf } from './queue';

const item = (state: State = 'waiting', more: Partial<Item> = {}): Item => ({
  id: 1,
  batch: 1,
  name: 'a.txt',
  path: '',
  folderId: 'root',
  folderName: '',
  size: 100,
  state,
  sent: 0,
  onConflict: 'fail',
  reason: '',
  fileId: null,
  attempts: 0,
  uploadId: null,
  existingId: null,
  found: false,
  ...more,
});

const run = (events: Event[], from = item()) => events.reduce(step, from);

describe('step', () => {
  it('goes from waiting to done', () => {
    const done = run([{ type: 'start' }, { type: 'progress', sent: 40 }, { type: 'succeed', fileId: 'f' }]);
    expect(done).toMatchObject({ state: 'done', sent: 100, fileId: 'f' });
    expect(isFinished(done)).toBe(true);
  });

  it('never counts more bytes than there are', () => {
    expect(run([{ type: 'start' }, { type: 'progress', sent: 180 }]).sent).toBe(100);
  });

  it('asks about a conflict and goes on as answered', () => {
    const asked = run([{ type: 'start' }, { type: 'progress', sent: 100 }, { type: 'conflict', existingId: 'e' }]);
    expect(asked).toMatchObject({ state: 'conflict', sent: 0, existingId: 'e' });
    expect(step(asked, { type: 'resolve', with: 'rename' })).toMatchObject({ state: 'waiting', onConflict: 'rename' });
    expect(step(asked, { type: 'resolve', with: 'replace' })).toMatchObject({
      state: 'waiting',
      onConflict: 'replace',
    });
    expect(step(asked, { type: 'resolve', with: 'skip' }).state).toBe('skipped');
  });

  it('pauses, counts its attempts, and goes on', () => {
    const paused = run([{ type: 'start' }, { type: 'progress', sent: 50 }, { type: 'pause', reason: 'offline' }]);
    expect(paused).toMatchObject({ state: 'paused', sent: 0, attempts: 1 });
    expect(isOpen(paused)).toBe(true);
    expect(step(paused, { type: 'resume' })).toMatchObject({ state: 'waiting', reason: '' });
  });

  it('can be tried again after failing, afresh', () => {
    const failed = run([{ type: 'start' }, { type: 'fail', reason: 'too large' }]);
    expect(failed).toMatchObject({ state: 'failed', reason: 'too large' });
    expect(step(failed, { type: 'retry' })).toMatchObject({ state: 'waiting', reason: '', attempts: 0 });
  });

  it('keeps what has arrived of an upload that can be gone on with', () => {
    const begun = run([{ type: 'start' }, { type: 'begun', uploadId: 'u' }, { type: 'progress', sent: 60 }]);
    for (const event of [{ type: 'pause', reason: 'x' }, { type: 'hold' }, { type: 'fail', reason: 'x' }] as Event[])
      expect(step(begun, event), event.type).toMatchObject({ sent: 60, uploadId: 'u' });
    expect(run([{ type: 'hold' }, { type: 'release' }, { type: 'start' }], begun)).toMatchObject({ sent: 60 });
    expect(step(begun, { type: 'begun', uploadId: null })).toMatchObject({ sent: 0, uploadId: null });
    expect(step(begun, { type: 'cancel' })).toMatchObject({ sent: 0, uploadId: null });
  });

  it('counts no attempts while bytes arrive', () => {
    const broken = [{ type: 'pause', reason: 'x' }, { type: 'resume' }, { type: 'start' }] as Event[];
    const begun = run([{ type: 'start' }, { type: 'begun', uploadId: 'u' }, { type: 'progress', sent: 10 }]);
    expect(run(broken, begun).attempts).toBe(1);
    expect(run([...broken, { type: 'progress', sent: 10 }], begun).attempts).toBe(1);
    expect(run([...broken, { type: 'progress', sent: 20 }], begun).attempts).toBe(0);
  });

  it('waits for the reader who stopped it, and for a file that is missing', () => {
    const held = run([{ type: 'start' }, { type: 'hold' }]);
    expect(isOpen(held)).toBe(false);
    expect(isFinished(held)).toBe(false);
    expect(step(item('unfinished'), { type: 'release' }).state).toBe('waiting');
    expect(step(item('unfinished'), { type: 'hold' }).state).toBe('unfinished');
  });

  it('ignores what comes too late', () => {
    const cancelled = run([{ type: 'start' }, { type: 'cancel' }]);
    for (const late of [
      { type: 'progress', sent: 5 },
      { type: 'succeed', fileId: 'f' },
      { type: 'fail', reason: 'x' },
      { type: 'pause', reason: 'x' },
      { type: 'conflict', existingId: 'e' },
    ] as Event[]) {
      expect(step(cancelled, late)).toBe(cancelled);
    }
    const done = item('done');
    expect(step(done, { type: 'cancel' })).toBe(done);
    expect(step(done, { type: 'retry' })).toBe(done);
  });
});

describe('totalsOf', () => {
  it('counts bytes of what goes up, not of what was given up', () => {
    const totals = totalsOf([
      item('done', { sent: 100 }),
      item('sending', { sent: 30 }),
      item('waiting'),
      item('failed'),
      item('cancelled'),
      item('skipped'),
      item('conflict'),
    ]);
    expect(totals).toEqual({ files: 7, open: 2, done: 1, failed: 1, conflicts: 1, held: 0, bytes: 400, sent: 130 });
  });
});

describe('backoffSeconds', () => {
  it('doubles up to half a minute', () => {
    expect([1, 2, 3, 4, 5, 6, 60].map((n) => backoffSeconds(n, null))).toEqual([1, 2, 4, 8, 16, 30, 30]);
  });
  it('waits at least as long as the server asks', () => {
    expect(backoffSeconds(1, 20)).toBe(20);
    expect(backoffSeconds(6, 1)).toBe(30);
  });
});
