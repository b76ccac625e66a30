import { beforeAll, describe, expect, it, vi } from 'vitest';
import type { FollowOptions } from './follow';
import type { Locks } from './lead';
import type { Channel, JobEvent, Surroundings } from './shared';

let shared: typeof import('./shared');

beforeAll(async () => {
  vi.stubGlobal('addEventListener', () => {});
  vi.stubGlobal('navigator', { language: 'en' });
  shared = await import('./shared');
});

/** A browser with several tabs: channels that reach one another, and a lock for whoever comes first. */
function tabs() {
  const channels = new Set<Channel>();
  const waiting: { signal: AbortSignal; held: () => Promise<void> }[] = [];
  let held = false;
  const next = async () => {
    if (held) return;
    const first = waiting.shift();
    if (!first) return;
    held = true;
    await first.held();
    held = false;
    next();
  };
  const locks: Locks = {
    request: async (_name, { signal }, work) => {
      waiting.push({ signal, held: work });
      next();
    },
  };
  const follows: FollowOptions[] = [];
  const around: Surroundings = {
    locks,
    visibility: { visible: () => true, onChange: () => () => {} },
    channel: () => {
      const channel: Channel = {
        onmessage: null,
        postMessage: (data) => {
          for (const other of channels)
            if (other !== channel) other.onmessage?.({ data: structuredClone(data) } as MessageEvent);
        },
        close: () => channels.delete(channel),
      };
      channels.add(channel);
      return channel;
    },
    follow: (options) => {
      follows.push(options);
      return new Promise((over) => options.signal.addEventListener('abort', () => over()));
    },
  };
  const open = () => {
    const stream = new shared.SharedStream('/events', shared.jobEvent, around);
    const heard: JobEvent[] = [];
    stream.onEvents((events) => heard.push(...events));
    stream.start('one');
    return { stream, heard };
  };
  return { open, follows };
}

const message = (id: string, event: string) => ({ id, event, data: JSON.stringify({ jobId: 'j', type: 't' }) });
const settled = async () => {
  for (let i = 0; i < 20; i++) await Promise.resolve();
};

describe('SharedStream', () => {
  it('follows once for all tabs', async () => {
    const { open, follows } = tabs();
    const [first, second] = [open(), open()];
    expect(follows).toHaveLength(1);
    follows[0]?.onLive(true);
    follows[0]?.onMessages([message('4', 'start')], '4');
    for (const { stream, heard } of [first, second]) {
      expect(stream.live).toBe(true);
      expect(heard).toEqual([{ event: 'start', jobId: 'j', type: 't', data: null }]);
    }
    // Who comes later is told at once that events come.
    expect(open().stream.live).toBe(true);
  });

  it('goes on in the next tab where the first one was', async () => {
    const { open, follows } = tabs();
    const [first, second] = [open(), open()];
    follows[0]?.onLive(true);
    follows[0]?.onMessages([], '9');
    first.stream.stop();
    await settled();
    expect(follows[1]?.from).toBe('9');
    follows[1]?.onMessages([message('10', 'complete')], '10');
    expect(second.heard.map(({ event }) => event)).toEqual(['complete']);
    expect(first.heard).toEqual([]);
  });

  it('tells everybody when events stop', () => {
    const { open, follows } = tabs();
    const [, second] = [open(), open()];
    follows[0]?.onLive(true);
    follows[0]?.onLive(false);
    expect(second.stream.live).toBe(false);
  });

  it('passes over what it cannot read', () => {
    const { open, follows } = tabs();
    const { heard } = open();
    follows[0]?.onMessages([{ id: '1', event: 'start', data: 'no JSON' }, message('2', 'remove')], '2');
    expect(heard.map(({ event }) => event)).toEqual(['remove']);
  });

  it('reads how much news is unread', () => {
    const told = { event: 'notifications', jobId: '', type: '', data: 3 };
    expect(shared.jobEvent('notifications', '{"unread":3}')).toEqual(told);
  });

  it('reads what happened to files, and that something was missed', () => {
    const told = JSON.stringify({ id: 'e', fileId: 'f', parentId: 'p', oldParentId: null, name: 'a.txt' });
    expect(shared.fileChange('moved', told)).toEqual({ event: 'moved', fileId: 'f', parentId: 'p', oldParentId: null });
    expect(shared.fileChange('reset', '{}')).toEqual({ event: 'reset', fileId: '', parentId: null, oldParentId: null });
    expect(shared.fileChange('moved', 'no JSON')).toBeNull();
  });
});
