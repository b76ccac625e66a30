import { type ApiError, asApiError } from '$lib/api/problem';
import { type JobsQuery, listAllJobs } from '$lib/api/queue';
import type { Job, JobState } from '$lib/api/types';
import { progressOf, withProgress } from '$lib/live/progress';
import type { JobEvent } from '$lib/live/shared';

const PAGE = 100;

/** The state that a job is in after an event; null where the event does not say. */
const AFTER: Readonly<Record<string, JobState>> = {
  enqueue: 'inactive',
  promotion: 'inactive',
  return: 'inactive',
  start: 'active',
  'failed-attempt': 'delayed',
  failed: 'failed',
  complete: 'complete',
  cancel: 'cancelled',
};

/** The jobs as they are after some events, as far as these say it. */
export function afterEvents(jobs: readonly Job[], events: readonly JobEvent[]): Job[] {
  const progress = progressOf(events);
  const states = new Map<string, JobState>();
  const gone = new Set<string>();
  for (const { event, jobId } of events) {
    const state = AFTER[event];
    if (state) states.set(jobId, state);
    if (event === 'remove') gone.add(jobId);
  }
  return jobs
    .filter((job) => !gone.has(job.id))
    .map((job) => {
      const state = states.get(job.id);
      return withProgress(state && state !== job.state ? { ...job, state } : job, progress.get(job.id));
    });
}

/** A list of jobs, loaded as far as it is looked at. */
export class JobsList {
  items = $state.raw<Job[]>([]);
  /** How many there are in all; null while nobody knows. */
  total = $state<number | null>(null);
  ready = $state(false);
  complete = $state(false);
  loading = $state(false);
  error = $state.raw<ApiError | null>(null);
  /** Something came or went that is not shown, since the list is looked at further down. */
  stale = $state(false);
  #cursor: string | null = null;
  #flight: AbortController | null = null;
  /** Where the page begins that did not come. */
  #missed: string | null = null;

  /** `query` is asked for each time, since a stretch of time that ends now moves on. */
  constructor(readonly query: () => JobsQuery) {}

  /** Reads the list from its beginning; what is shown stays until then. */
  async refresh(): Promise<void> {
    this.#flight?.abort();
    await this.#load(null);
  }

  /** Sees to it that the jobs up to `end` (exclusive) get loaded. */
  ensure(end: number): void {
    if (!this.ready || this.complete || this.loading || this.error || end <= this.items.length) return;
    this.#load(this.#cursor);
  }

  /** Asks once more for what did not come. */
  again(): void {
    this.#flight?.abort();
    this.#load(this.#missed);
  }

  async #load(cursor: string | null): Promise<void> {
    const flight = new AbortController();
    this.#flight = flight;
    this.loading = true;
    try {
      const query = { ...this.query(), limit: PAGE, ...(cursor ? { cursor } : {}) };
      const page = await listAllJobs(query, flight.signal);
      if (flight.signal.aborted) return;
      const known = cursor ? this.items : [];
      const shown = new Set(known.map((job) => job.id));
      this.items = [...known, ...page.items.filter((job) => !shown.has(job.id))];
      this.#cursor = page.nextCursor;
      this.complete = page.nextCursor === null;
      this.total = page.total ?? (this.complete ? this.items.length : null);
      this.ready = true;
      this.error = null;
      if (!cursor) this.stale = false;
    } catch (thrown) {
      if (flight.signal.aborted) return;
      this.error = asApiError(thrown);
      this.#missed = cursor;
    } finally {
      if (this.#flight === flight) {
        this.#flight = null;
        this.loading = false;
      }
    }
  }

  /** Shows what events say of the jobs that are shown. */
  heard(events: readonly JobEvent[]): void {
    this.items = afterEvents(this.items, events);
  }

  /** Shows how one job is now; null takes it out. */
  patch(id: string, job: Job | null): void {
    this.items = job ? this.items.map((one) => (one.id === id ? job : one)) : this.items.filter((one) => one.id !== id);
  }
}
