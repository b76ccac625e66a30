import { describe, expect, it } from 'vitest';
import { type Locks, lead, type Visibility } from './lead';

/** Locks as the browser has them: one holder for each name, the others in line. */
function fakeLocks(): Locks {
  const lines = new Map<string, Promise<unknown>>();
  return {
    request(name, { signal }, held) {
      const before = lines.get(name) ?? Promise.resolve();
      const called = new Promise<never>((_, refuse) => {
        signal.addEventListener('abort', () => refuse(new DOMException('called off', 'AbortError')));
      });
      called.catch(() => {});
      const turn = before.then(() => (signal.aborted ? undefined : held()));
      lines.set(name, Promise.race([turn, called.catch(() => before)]));
      return Promise.race([turn, before.then(() => new Promise<never>(() => {})), called]);
    },
  };
}

function fakeVisibility(visible: boolean) {
  const calls = new Set<() => void>();
  const at = { visible };
  const visibility: Visibility = {
    visible: () => at.visible,
    onChange: (call) => {
      calls.add(call);
      return () => calls.delete(call);
    },
  };
  const set = (to: boolean) => {
    at.visible = to;
    for (const call of [...calls]) call();
  };
  return { visibility, set };
}

const settled = async () => {
  for (let i = 0; i < 20; i++) await Promise.resolve();
};

/** Work that says when it runs, until it is told to end. */
function worker(log: string[], name: string) {
  return (signal: AbortSignal) =>
    new Promise<void>((resume) => {
      log.push(`${name} begins`);
      signal.addEventListener('abort', () => {
        log.push(`${name} ends`);
        resume();
      });
    });
}

describe('lead', () => {
  const seen = fakeVisibility(true).visibility;

  it('lets one of many work, and the next one when it is gone', async () => {
    const locks = fakeLocks();
    const log: string[] = [];
    const [first, second, third] = [new AbortController(), new AbortController(), new AbortController()];
    lead('x', worker(log, '1'), first.signal, locks, seen);
    lead('x', worker(log, '2'), second.signal, locks, seen);
    lead('x', worker(log, '3'), third.signal, locks, seen);
    lead('y', worker(log, 'other'), third.signal, locks, seen);
    await settled();
    expect(log).toEqual(['1 begins', 'other begins']);
    first.abort();
    await settled();
    expect(log.slice(2)).toEqual(['1 ends', '2 begins']);
  });

  it('ends quietly when it is called off while it waits', async () => {
    const locks = fakeLocks();
    const log: string[] = [];
    const [first, second] = [new AbortController(), new AbortController()];
    lead('x', worker(log, '1'), first.signal, locks, seen);
    const waiting = lead('x', worker(log, '2'), second.signal, locks, seen);
    second.abort();
    await expect(waiting).resolves.toBeUndefined();
    expect(log).toEqual(['1 begins']);
  });

  it('without locks works while it is looked at', async () => {
    const { visibility, set } = fakeVisibility(false);
    const log: string[] = [];
    const end = new AbortController();
    const over = lead('x', worker(log, '1'), end.signal, undefined, visibility);
    await settled();
    expect(log).toEqual([]);
    set(true);
    await settled();
    set(false);
    await settled();
    set(true);
    await settled();
    expect(log).toEqual(['1 begins', '1 ends', '1 begins']);
    end.abort();
    await expect(over).resolves.toBeUndefined();
  });

  it('does not begin anew what ended by itself', async () => {
    let runs = 0;
    const work = async () => {
      runs += 1;
    };
    await lead('x', work, new AbortController().signal, undefined, seen);
    expect(runs).toBe(1);
  });
});
