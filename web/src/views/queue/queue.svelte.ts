import { type ApiError, asApiError } from '$lib/api/problem';
import { getStats, getTypes } from '$lib/api/queue';
import type { Job, JobSummary, JobType } from '$lib/api/types';
import { API } from '$lib/api/urls';
import { paced } from '$lib/live/paced';
import { type JobEvent, jobEvent, SharedStream } from '$lib/live/shared';
import { session } from '$lib/state/session.svelte';

/** How often to look while events come. */
const PACE_MS = 1_000;
/** How often to look without events, and how often all the same: a minute's history may have been cut off. */
const POLL_MS = 5_000;
const IDLE_MS = 30_000;
/** How often times such as “5 minutes ago” are written anew. */
const TICK_MS = 10_000;

/** What all parts of the dashboard show: counts, types, whether all is paused, and what happens. One for all of them. */
class Queue {
  counts = $state.raw<JobSummary | null>(null);
  types = $state.raw<JobType[] | null>(null);
  paused = $state(false);
  /** When the job came that waits longest. */
  oldest = $state<string | null>(null);
  error = $state.raw<ApiError | null>(null);
  live = $state(false);
  now = $state(Date.now());
  /** The job looked at last, so that a list can put the focus back on it. */
  opened: string | null = null;
  #stream = new SharedStream(`${API}/jobs/events`, jobEvent);
  #look = paced(() => this.#read(), PACE_MS);
  #running = false;
  #poll: ReturnType<typeof setTimeout> | null = null;
  #tick: ReturnType<typeof setInterval> | null = null;
  #watchers = new Set<(id: string, job: Job | null) => void>();

  constructor() {
    this.#stream.onLive((live) => {
      this.live = live;
      this.#look();
    });
    this.#stream.onEvents((events) => {
      if (events.some(({ event }) => event !== 'progress')) this.#look();
    });
  }

  /** Begins to follow; gives back how to end it. */
  enter(): () => void {
    this.#running = true;
    this.#stream.start(`fm-queue-${session.user?.id ?? ''}`);
    this.#tick = setInterval(() => {
      this.now = Date.now();
    }, TICK_MS);
    document.addEventListener('visibilitychange', this.#onVisible);
    this.now = Date.now();
    this.#look();
    return () => {
      this.#running = false;
      this.#stream.stop();
      this.#look.cancel();
      document.removeEventListener('visibilitychange', this.#onVisible);
      if (this.#tick !== null) clearInterval(this.#tick);
      if (this.#poll !== null) clearTimeout(this.#poll);
      this.#poll = null;
    };
  }

  /** Looks at the counts and types again. */
  refresh(): void {
    this.error = null;
    this.#look();
  }

  onEvents(call: (events: JobEvent[]) => void): () => void {
    return this.#stream.onEvents(call);
  }

  /** Calls when something was done here to a job: how it is now, or null if it is gone. */
  onJob(call: (id: string, job: Job | null) => void): () => void {
    this.#watchers.add(call);
    return () => this.#watchers.delete(call);
  }

  /** Says how a job is now, for every list that shows it. */
  tell(id: string, job: Job | null): void {
    for (const call of this.#watchers) call(id, job);
  }

  /** Shows types otherwise until they are read again. */
  patchType(type: string, change: Partial<JobType>): void {
    this.types = this.types?.map((one) => (one.type === type ? { ...one, ...change } : one)) ?? null;
  }

  #onVisible = (): void => {
    if (!document.hidden) this.#look();
  };

  async #read(): Promise<void> {
    if (document.hidden || !this.#running) return;
    try {
      // The history is not wanted here, so as little of it as can be.
      const [stats, types] = await Promise.all([getStats({ since: new Date().toISOString() }), getTypes()]);
      this.counts = stats.counts;
      this.oldest = stats.oldestWaitingAt;
      this.types = types.items;
      this.paused = types.paused;
      this.error = null;
    } catch (thrown) {
      this.error = asApiError(thrown);
    }
    if (this.#poll !== null) clearTimeout(this.#poll);
    if (this.#running) this.#poll = setTimeout(() => this.#look(), this.live ? IDLE_MS : POLL_MS);
  }
}

export const queue = new Queue();
