import { getJobsSummary } from '$lib/api/account';
import type { JobSummary } from '$lib/api/types';

const BUSY_MS = 2_000;
const IDLE_MS = 60_000;

/** How many of one's own jobs are in which state: looked at often while some run, seldom otherwise, never in a hidden tab. */
class JobsState {
  summary = $state.raw<JobSummary | null>(null);
  active = $derived(this.summary ? this.summary.active + this.summary.inactive + this.summary.delayed : 0);
  #timer: ReturnType<typeof setTimeout> | null = null;
  #running = false;

  start(): void {
    this.#running = true;
    document.addEventListener('visibilitychange', this.#onVisible);
    this.#look();
  }

  stop(): void {
    this.#running = false;
    document.removeEventListener('visibilitychange', this.#onVisible);
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.summary = null;
  }

  /** Something was done that probably made a job. */
  poke(): void {
    this.#schedule(1_000);
  }

  #onVisible = (): void => {
    if (!document.hidden) this.#look();
  };

  #schedule(ms: number): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    if (this.#running) this.#timer = setTimeout(() => this.#look(), ms);
  }

  async #look(): Promise<void> {
    if (document.hidden) return;
    try {
      this.summary = await getJobsSummary();
    } catch {
      // Shown as before; asked again later.
    }
    this.#schedule(this.active > 0 ? BUSY_MS : IDLE_MS);
  }
}

export const jobs = new JobsState();
