import { getJobsSummary } from '$lib/api/account';
import type { JobSummary } from '$lib/api/types';
import { API } from '$lib/api/urls';
import { paced } from '$lib/live/paced';
import type { JobEvent, SharedStream } from '$lib/live/shared';
import { session } from './session.svelte';
import { afterFirstSight } from './sight';
import { whoActs } from './undo';

/** How often to look while events come: once for many of them. */
const PACE_MS = 500;
/** How often to look without events. */
const BUSY_MS = 2_000;
const IDLE_MS = 60_000;

/** How many of one's own jobs are in which state: told by events, or looked at now and then; never in a hidden tab. */
class JobsState {
  summary = $state.raw<JobSummary | null>(null);
  active = $derived(this.summary ? this.summary.active + this.summary.inactive + this.summary.delayed : 0);
  /** Whether what happens is told as it happens. */
  live = $state(false);
  #stream: SharedStream<JobEvent> | null = null;
  #listeners = new Set<(events: JobEvent[]) => void>();
  #timer: ReturnType<typeof setTimeout> | null = null;
  #running = false;
  #look = paced(() => this.#read(), PACE_MS);

  start(): void {
    this.#running = true;
    document.addEventListener('visibilitychange', this.#onVisible);
    afterFirstSight(() => this.#follow().catch(() => {}));
    this.#look();
  }

  /** What follows events comes after the first sight; without it one looks now and then. */
  async #follow(): Promise<void> {
    if (!this.#stream) {
      const { jobEvent, SharedStream } = await import('$lib/live/shared');
      this.#stream ??= this.#listen(new SharedStream(`${API}/users/me/jobs/events`, jobEvent));
    }
    if (this.#running) this.#stream.start(`fm-jobs-${session.user?.id ?? ''}`);
  }

  #listen(stream: SharedStream<JobEvent>): SharedStream<JobEvent> {
    stream.onLive((live) => {
      this.live = live;
      // What happened while nobody told it.
      if (live) this.#look();
      else this.#schedule();
    });
    stream.onEvents((events) => {
      // Progress moves no job from one state to another, and news is no job.
      if (events.some(({ event }) => event !== 'progress' && event !== 'notifications')) this.#look();
      for (const call of this.#listeners) call(events);
    });
    return stream;
  }

  stop(): void {
    this.#running = false;
    document.removeEventListener('visibilitychange', this.#onVisible);
    this.#stream?.stop();
    this.#look.cancel();
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.summary = null;
  }

  /** Something was done that probably made a job. */
  poke(): void {
    if (!this.live) this.#schedule(1_000);
  }

  /** Calls with what happens to one's own jobs. Gives back how to end it. */
  onEvents(call: (events: JobEvent[]) => void): () => void {
    this.#listeners.add(call);
    return () => this.#listeners.delete(call);
  }

  #onVisible = (): void => {
    if (!document.hidden) this.#look();
  };

  #schedule(ms: number = this.active > 0 && !this.live ? BUSY_MS : IDLE_MS): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    if (this.#running) this.#timer = setTimeout(() => this.#look(), ms);
  }

  async #read(): Promise<void> {
    if (document.hidden || !this.#running) return;
    const here = whoActs();
    try {
      const summary = await getJobsSummary();
      if (this.#running && here()) this.summary = summary;
    } catch {
      // Shown as before; asked again later.
    }
    this.#schedule();
  }
}

export const jobs = new JobsState();
