import { countUnread } from '$lib/api/notices';
import { jobs } from './jobs.svelte';
import { afterFirstSight } from './sight';
import { whoActs } from './undo';

/** How often to look where nobody tells. */
const POLL_MS = 60_000;

/** How much news of what is one's own is unread. The stream of one's jobs tells it. */
class NoticesState {
  unread = $state(0);
  #forget: (() => void) | null = null;
  #timer: ReturnType<typeof setInterval> | null = null;

  start(): void {
    this.#forget = jobs.onEvents((events) => {
      for (const { event, data } of events)
        if (event === 'notifications' && typeof data === 'number') this.unread = data;
    });
    this.#timer = setInterval(() => {
      if (!jobs.live && !document.hidden) this.look();
    }, POLL_MS);
    afterFirstSight(() => this.look());
  }

  stop(): void {
    this.#forget?.();
    this.#forget = null;
    if (this.#timer !== null) clearInterval(this.#timer);
    this.unread = 0;
  }

  async look(): Promise<void> {
    const here = whoActs();
    // Whoever has been signed out meanwhile is told so by what they do.
    await countUnread().then(
      (unread) => {
        if (this.#forget && here()) this.unread = unread;
      },
      () => {},
    );
  }
}

export const notices = new NoticesState();
