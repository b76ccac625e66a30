import type { FieldError, JobState, Problem } from './types';

/** Where a request ended that did not do what was asked. `hop` is another server on the way, for example a proxy. */
export type Cause = 'offline' | 'cancelled' | 'product' | 'hop';

/** A request that failed: what the server said, or that none answered. */
export class ApiError extends Error {
  override name = 'ApiError';

  constructor(
    override readonly cause: Cause,
    /** The HTTP status, 0 where nothing answered. */
    readonly status: number,
    /** The product's stable word for what happened, `''` where it did not say one. */
    readonly code: string,
    readonly detail: string,
    readonly fields: FieldError[] = [],
    readonly requestId: string = '',
    /** Seconds after which trying again makes sense, if the answer said so. */
    readonly retryAfter: number | null = null,
    /** The id of what is in the way, where a name is taken. */
    readonly existingId: string | null = null,
    /** The state of a job that does not allow what was asked. */
    readonly jobState: JobState | null = null,
    /** The job that has the unique key which is asked for. */
    readonly holder: string | null = null,
  ) {
    super(detail || `HTTP ${status}`);
  }

  /** True if the same request may well succeed later without anything being changed. */
  get passing(): boolean {
    return (
      this.cause === 'offline' ||
      this.status === 429 ||
      this.status === 502 ||
      this.status === 503 ||
      this.status === 504
    );
  }
}

/** Whether the request may have been carried out although nobody heard of it: the product itself said nothing. */
export function unheard(error: ApiError): boolean {
  return error.cause === 'offline' || (error.cause === 'hop' && (error.status === 502 || error.status === 504));
}

/** Parses `Retry-After`: seconds, or a date. */
export function parseRetryAfter(value: string | null, now: number): number | null {
  if (!value) return null;
  if (/^\d+$/.test(value.trim())) return Number(value);
  const at = Date.parse(value);
  return Number.isNaN(at) ? null : Math.max(0, Math.ceil((at - now) / 1000));
}

/** Makes the error out of an answer that was not a success. `body` is its parsed JSON, or whatever stood there instead. */
export function problemOf(status: number, body: unknown, header: (name: string) => string | null): ApiError {
  const retryAfter = parseRetryAfter(header('Retry-After'), Date.now());
  const requestId = header('X-Request-Id') ?? '';
  const problem = isProblem(body) ? body : null;
  return new ApiError(
    problem ? 'product' : 'hop',
    status,
    problem?.code ?? '',
    problem?.detail ?? '',
    problem?.errors ?? [],
    problem?.requestId ?? requestId,
    retryAfter,
    problem?.existingId ?? null,
    problem?.state ?? null,
    problem?.holder ?? null,
  );
}

/** A problem with the members that some codes add. */
type DetailedProblem = Problem & { existingId?: string; state?: JobState; holder?: string };

export function isProblem(body: unknown): body is DetailedProblem {
  return typeof body === 'object' && body !== null && typeof (body as Problem).code === 'string';
}

/** Any thrown value as an `ApiError`; what `fetch` throws means that nothing answered, or that the page gave up. */
export function asApiError(thrown: unknown): ApiError {
  if (thrown instanceof ApiError) return thrown;
  const cancelled = thrown instanceof DOMException && thrown.name === 'AbortError';
  return new ApiError(cancelled ? 'cancelled' : 'offline', 0, '', '');
}
