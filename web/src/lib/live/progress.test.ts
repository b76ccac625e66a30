import { describe, expect, it } from 'vitest';
import type { Job } from '$lib/api/types';
import { progressOf, withProgress } from './progress';

const event = (jobId: string, data: unknown, name = 'progress') => ({ event: name, jobId, type: 't', data });

describe('progressOf', () => {
  it('takes the last word of each job', () => {
    const told = progressOf([
      event('a', { progress: 10, data: 'reading' }),
      event('b', { progress: 5 }),
      event('a', { progress: 40, data: null }),
      event('a', null),
      event('c', { progress: 'half' }),
      event('d', { progress: 1 }, 'start'),
    ]);
    expect([...told]).toEqual([
      ['a', { progress: 40, progressData: null }],
      ['b', { progress: 5, progressData: null }],
    ]);
  });

  it('says nothing of a job that is over', () => {
    const job = { id: 'a', state: 'complete', progress: 100 } as Job;
    expect(withProgress(job, { progress: 40, progressData: 'late' })).toBe(job);
    expect(withProgress({ ...job, state: 'active' }, { progress: 40, progressData: 'x' }).progress).toBe(40);
  });
});
