import { answerOf, client } from './client';
import type {
  CreatedJob,
  DeadRetried,
  Job,
  JobLogLine,
  JobPage,
  JobRequest,
  JobState,
  JobStats,
  JobTypeLimit,
  JobTypes,
  Schedule,
  SchedulePatch,
  SchedulePreview,
  ScheduleRequest,
} from './types';

/** Calls of the job queue, for administrators. */

export interface JobsQuery {
  state?: JobState;
  type?: string;
  q?: string;
  from?: string;
  to?: string;
  userId?: string;
  order?: 'asc' | 'desc';
  cursor?: string;
  limit?: number;
}

const job = (id: string) => ({ path: { id } });

export function listAllJobs(query: JobsQuery, signal?: AbortSignal): Promise<JobPage> {
  return answerOf<JobPage>(client.GET('/api/v1/jobs', { params: { query }, signal }));
}

export function getJob(id: string, signal?: AbortSignal): Promise<Job> {
  return answerOf<Job>(client.GET('/api/v1/jobs/{id}', { params: job(id), signal }));
}

export async function getJobLog(id: string, signal?: AbortSignal): Promise<JobLogLine[]> {
  return (await answerOf(client.GET('/api/v1/jobs/{id}/log', { params: job(id), signal }))).items;
}

export async function createJob(request: JobRequest): Promise<CreatedJob> {
  // Its data may be any JSON, which the document cannot say; the answer 207 is one to lists alone.
  return (await answerOf(client.POST('/api/v1/jobs', { body: request as never }))) as CreatedJob;
}

export function retryJob(id: string): Promise<Job> {
  return answerOf<Job>(client.POST('/api/v1/jobs/{id}/retry', { params: job(id) }));
}

export function cancelJob(id: string): Promise<Job> {
  return answerOf<Job>(client.POST('/api/v1/jobs/{id}/cancel', { params: job(id) }));
}

/** Has a delayed job wait no longer. */
export function promoteJob(id: string): Promise<Job> {
  return answerOf<Job>(client.PATCH('/api/v1/jobs/{id}', { params: job(id), body: { state: 'inactive' } }));
}

export function setPriority(id: string, priority: number): Promise<Job> {
  return answerOf<Job>(client.PATCH('/api/v1/jobs/{id}', { params: job(id), body: { priority } }));
}

export function removeJob(id: string, force: boolean): Promise<unknown> {
  return answerOf(client.DELETE('/api/v1/jobs/{id}', { params: { ...job(id), query: { force } } }));
}

export function getStats(query: { type?: string; since?: string }, signal?: AbortSignal): Promise<JobStats> {
  return answerOf(client.GET('/api/v1/jobs/stats', { params: { query }, signal }));
}

export function getTypes(signal?: AbortSignal): Promise<JobTypes> {
  return answerOf(client.GET('/api/v1/jobs/types', { signal }));
}

/** Has the jobs of a type wait, or all of them. */
export function pauseJobs(type: string | null): Promise<unknown> {
  return answerOf(client.POST('/api/v1/jobs/pause', { body: type === null ? {} : { type } }));
}

export function resumeJobs(type: string | null): Promise<unknown> {
  return answerOf(client.POST('/api/v1/jobs/resume', { body: type === null ? {} : { type } }));
}

export function setLimit(type: string, limit: JobTypeLimit | null): Promise<unknown> {
  const at = { path: { type } };
  return limit
    ? answerOf(client.PUT('/api/v1/jobs/types/{type}/limit', { params: at, body: limit }))
    : answerOf(client.DELETE('/api/v1/jobs/types/{type}/limit', { params: at }));
}

export function retryDead(type: string | null, cursor: string | null): Promise<DeadRetried> {
  const body = { ...(type === null ? {} : { type }), ...(cursor === null ? {} : { cursor }) };
  return answerOf(client.POST('/api/v1/jobs/dead/retry', { body }));
}

export async function listSchedules(signal?: AbortSignal): Promise<Schedule[]> {
  return (await answerOf(client.GET('/api/v1/jobs/schedules', { signal }))).items;
}

export function previewSchedule(cron: string, timeZone: string, signal?: AbortSignal): Promise<SchedulePreview> {
  const query = { cron, ...(timeZone ? { timeZone } : {}) };
  return answerOf(client.GET('/api/v1/jobs/schedules/preview', { params: { query }, signal }));
}

export function createSchedule(request: ScheduleRequest): Promise<Schedule> {
  return answerOf<Schedule>(client.POST('/api/v1/jobs/schedules', { body: request as never }));
}

export function changeSchedule(id: string, patch: SchedulePatch): Promise<Schedule> {
  return answerOf<Schedule>(client.PATCH('/api/v1/jobs/schedules/{id}', { params: job(id), body: patch as never }));
}

export function removeSchedule(id: string): Promise<unknown> {
  return answerOf(client.DELETE('/api/v1/jobs/schedules/{id}', { params: job(id) }));
}

export async function runSchedule(id: string): Promise<string> {
  return (await answerOf(client.POST('/api/v1/jobs/schedules/{id}/run', { params: job(id) }))).id;
}
