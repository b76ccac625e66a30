import { answerOf, client } from './client';
import type { Job, JobList, JobState, JobSummary, Setup, User } from './types';

const cookie = { session: 'cookie' as const };

export function getSetup(): Promise<Setup> {
  return answerOf(client.GET('/api/v1/setup'));
}

export async function completeSetup(code: string, email: string, password: string): Promise<User> {
  return (await answerOf(client.POST('/api/v1/setup', { body: { code, email, password, ...cookie } }))).user;
}

export async function register(email: string, password: string): Promise<User> {
  return (await answerOf(client.POST('/api/v1/auth/register', { body: { email, password, ...cookie } }))).user;
}

/** With `keeps`, an account that waits to be deleted stays. */
export async function login(email: string, password: string, keeps = false): Promise<User> {
  const body = { email, password, cancelDeletion: keeps, ...cookie };
  return (await answerOf(client.POST('/api/v1/auth/login', { body }))).user;
}

export function logout(): Promise<unknown> {
  return answerOf(client.POST('/api/v1/auth/logout'));
}

export function getMe(): Promise<User> {
  return answerOf(client.GET('/api/v1/users/me'));
}

export function listJobs(
  query: { state?: JobState; cursor?: string; limit?: number },
  signal?: AbortSignal,
): Promise<JobList> {
  return answerOf<JobList>(client.GET('/api/v1/users/me/jobs', { params: { query }, signal }));
}

export function getJobsSummary(): Promise<JobSummary> {
  return answerOf(client.GET('/api/v1/users/me/jobs/summary'));
}

export type { Job };
