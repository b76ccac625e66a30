import createClient from 'openapi-fetch';
import { BASE } from '$lib/base';
import { type ApiError, asApiError, problemOf } from './problem';
import type { paths } from './schema';

/** The client of the product's own API, typed by its OpenAPI document. */
export const client = createClient<paths>({ baseUrl: BASE });

interface Watcher {
  /** A credential was refused: the session is over. */
  unauthorized(): void;
  /** Something answered (true) or nothing did (false). */
  reached(answered: boolean): void;
}

let watcher: Watcher = { unauthorized() {}, reached() {} };

/** Tells who wants to know how requests go. There is one: the session's state. */
export function watchRequests(by: Watcher): void {
  watcher = by;
}

/** Refusals of what somebody typed: the session goes on. */
const ABOUT_WHAT_WAS_TYPED = new Set(['invalid_credentials', 'second_factor_required', 'invalid_second_factor']);

/** Says of a request that did not go through this client (an upload) how it went. */
export function reportOutcome(error: ApiError | null): void {
  watcher.reached(error?.cause !== 'offline');
  if (error?.status === 401 && !ABOUT_WHAT_WAS_TYPED.has(error.code)) watcher.unauthorized();
}

interface Answer<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/**
 * Waits for an answer and returns its body.
 *
 * @throws ApiError for everything else
 */
export async function answerOf<T>(request: Promise<Answer<T>>): Promise<T> {
  return (await settle(request)).data;
}

/** The same for a change, with the id by which the product can take it back; null if it does not say one. */
export async function changeOf<T>(request: Promise<Answer<T>>): Promise<{ data: T; operation: string | null }> {
  const { data, response } = await settle(request);
  return { data, operation: response.headers.get('Operation-Id') };
}

async function settle<T>(request: Promise<Answer<T>>): Promise<{ data: T; response: Response }> {
  let answer: Answer<T>;
  try {
    answer = await request;
  } catch (thrown) {
    const error = asApiError(thrown);
    if (error.cause !== 'cancelled') reportOutcome(error);
    throw error;
  }
  const { data, error: body, response } = answer;
  if (response.ok) {
    reportOutcome(null);
    return { data: data as T, response };
  }
  const error = problemOf(response.status, body, (name) => response.headers.get(name));
  reportOutcome(error);
  throw error;
}
