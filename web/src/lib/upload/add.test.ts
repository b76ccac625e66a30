import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { Harvest } from './entries';
import type { Follower } from './reading.svelte';

const { here, added, errors, reads } = vi.hoisted(() => ({
  here: { now: true },
  added: [] as unknown[],
  errors: [] as string[],
  reads: [] as { follower: Follower; end: (harvest: Harvest) => void }[],
}));

vi.stubGlobal('addEventListener', () => {});
vi.stubGlobal('removeEventListener', () => {});
vi.mock('$lib/i18n', () => ({ t: (key: string) => key }));
vi.mock('$lib/i18n/language.svelte', () => ({ language: { need: async () => {} } }));
vi.mock('$lib/state/toasts.svelte', () => ({ toasts: { error: (text: string) => errors.push(text) } }));
vi.mock('$lib/state/undo', () => ({ whoActs: () => () => here.now }));
vi.mock('./uploads.svelte', () => ({ uploads: { add: (harvest: unknown) => added.push(harvest) } }));
vi.mock('./entries', () => ({
  fromInput: () => 'nothing',
  fromTransfer: (_: DataTransfer, follower: Follower) =>
    new Promise((resolve, reject) => {
      follower.signal.addEventListener('abort', () => reject(follower.signal.reason));
      reads.push({ follower, end: resolve });
    }),
}));

const { reading, uploadDropped } = await import('./add.svelte');

const target = { id: 'root', name: 'Files' };
const harvest: Harvest = { files: [], emptyFolders: [], unreadable: [] };
const dropped = {} as DataTransfer;

beforeEach(() => {
  here.now = true;
  for (const list of [added, errors, reads]) list.length = 0;
});

describe('what is dropped', () => {
  it('is unfinished work from the drop until it is among the uploads', async () => {
    const done = uploadDropped(dropped, target);
    expect(reading.active).toBe(true);
    reads[0]?.end(harvest);
    await done;
    expect([added, reading.active, errors]).toEqual([[harvest], false, []]);
  });

  it('is not uploaded once it is called off, and nothing failed then', async () => {
    const done = uploadDropped(dropped, target);
    reading.cancel();
    await done;
    expect([added, reading.active, errors]).toEqual([[], false, []]);
  });

  it('is read no further when somebody else is here', async () => {
    const done = uploadDropped(dropped, target);
    here.now = false;
    reads[0]?.follower.found();
    await done;
    expect([added, reading.active, errors]).toEqual([[], false, []]);
  });

  it('is not read where nothing may be put', async () => {
    await uploadDropped(dropped, { ...target, closed: true });
    expect([reads.length, added, reading.active]).toEqual([0, ['nothing'], false]);
  });
});
