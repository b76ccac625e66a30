import { beforeAll, describe, expect, it, vi } from 'vitest';
import type { Job } from '$lib/api/types';

let afterEvents: typeof import('./list.svelte').afterEvents;

beforeAll(async () => {
  vi.stubGlobal('navigator', { language: 'en' });
  ({ afterEvents } = await import('./list.svelte'));
});

const job = (id: string, state: Job['state']) => ({ id, state, progress: 0, progressData: null }) as unknown as Job;
const event = (name: string, jobId: string, data: unknown = null) => ({ event: name, jobId, type: 't', data });

describe('afterEvents', () => {
  it('moves jobs from state to state, the last event counts', () => {
    const jobs = [job('a', 'inactive'), job('b', 'active'), job('c', 'complete')];
    const after = afterEvents(jobs, [
      event('start', 'a'),
      event('progress', 'a', { progress: 30, data: 'reading' }),
      event('failed-attempt', 'b'),
      event('failed', 'b'),
      event('start', 'unknown'),
    ]);
    expect(after[0]).toMatchObject({ state: 'active', progress: 30, progressData: 'reading' });
    expect(after[1]).toMatchObject({ state: 'failed' });
    expect(after[2]).toBe(jobs[2]);
  });

  it('takes out what is gone', () => {
    expect(afterEvents([job('a', 'failed'), job('b', 'failed')], [event('remove', 'a')]).map(({ id }) => id)).toEqual([
      'b',
    ]);
  });
});
