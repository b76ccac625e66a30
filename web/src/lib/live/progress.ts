import type { Job } from '$lib/api/types';
import type { JobEvent } from './shared';

export interface Told {
  progress: number;
  progressData: unknown;
}

/** How far jobs have come, as events say; the last word of each counts. */
export function progressOf(events: readonly JobEvent[]): Map<string, Told> {
  const told = new Map<string, Told>();
  for (const { event, jobId, data } of events) {
    if (event !== 'progress' || typeof data !== 'object' || data === null) continue;
    const { progress, data: more = null } = data as { progress?: unknown; data?: unknown };
    if (typeof progress === 'number') told.set(jobId, { progress, progressData: more });
  }
  return told;
}

export function withProgress(job: Job, told: Told | undefined): Job {
  return told && job.state === 'active' ? { ...job, ...told } : job;
}
