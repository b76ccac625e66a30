import { reportOutcome } from '$lib/api/client';
import type { FileEvent } from '$lib/api/types';
import { connection } from '$lib/state/connection.svelte';
import type { FileChange } from './files';
import { type FollowOptions, follow, pause } from './follow';
import { type Locks, lead, type Visibility } from './lead';

/**
 * Something that happened to a job; `reset` says that some were missed, so that everything has to be looked at anew, and
 * `notifications` how many of these are unread: that is its `data`.
 */
export interface JobEvent {
  event: string;
  jobId: string;
  type: string;
  data: unknown;
}

/** What a message says, by its word and its text; null for one that cannot be read, which a newer server may send. */
export type Reader<E> = (event: string, text: string) => E | null;

/** What tabs say to one another. */
type Told<E> =
  | { kind: 'events'; events: E[]; lastId: string }
  | { kind: 'state'; live: boolean; lastId: string }
  | { kind: 'ask' };

/** What is used of a BroadcastChannel. */
export interface Channel {
  postMessage(message: unknown): void;
  onmessage: ((event: MessageEvent) => void) | null;
  close(): void;
}

export interface Surroundings {
  locks: Locks | undefined;
  visibility: Visibility;
  channel(name: string): Channel;
  follow(options: FollowOptions): Promise<void>;
}

/**
 * One stream of events for all tabs of this browser: one tab follows it and tells the others. When that tab is closed, the
 * next one goes on where it was.
 */
export class SharedStream<E> {
  /** Whether events come as they happen. If not, whoever wants to know has to ask. */
  live = false;
  #lastId = '';
  #leading = false;
  #stop: AbortController | null = null;
  #channel: Channel | null = null;
  #listeners = new Set<(events: E[]) => void>();
  #watchers = new Set<(live: boolean) => void>();

  constructor(
    readonly url: string,
    readonly read: Reader<E>,
    readonly around: Surroundings = browser,
  ) {}

  /** Begins to follow. `name` tells streams, and people, apart: tabs of the same one share. */
  start(name: string): void {
    this.stop();
    const stop = new AbortController();
    this.#stop = stop;
    this.#lastId = '';
    // Without locks each tab is told by its own stream.
    if (this.around.locks) this.#join(name);
    lead(name, (signal) => this.#follow(signal), stop.signal, this.around.locks, this.around.visibility).catch(() => {
      // A browser that refuses locks: what is shown is asked for now and then.
      this.#setLive(false);
    });
  }

  stop(): void {
    this.#stop?.abort();
    this.#stop = null;
    this.#channel?.close();
    this.#channel = null;
    this.#leading = false;
    this.#setLive(false);
  }

  /** Calls with what happened, a batch at a time. Gives back how to end it. */
  onEvents(call: (events: E[]) => void): () => void {
    this.#listeners.add(call);
    return () => this.#listeners.delete(call);
  }

  onLive(call: (live: boolean) => void): () => void {
    this.#watchers.add(call);
    return () => this.#watchers.delete(call);
  }

  #join(name: string): void {
    const channel = this.around.channel(name);
    this.#channel = channel;
    channel.onmessage = ({ data }: MessageEvent<Told<E>>) => {
      if (data.kind === 'ask') {
        if (this.#leading) this.#tell({ kind: 'state', live: this.live, lastId: this.#lastId });
        return;
      }
      if (this.#leading) return;
      this.#lastId = data.lastId;
      if (data.kind === 'events') this.#heard(data.events);
      this.#setLive(data.kind === 'events' ? true : data.live);
    };
    this.#tell({ kind: 'ask' });
  }

  async #follow(signal: AbortSignal): Promise<void> {
    this.#leading = true;
    await this.around.follow({
      url: this.url,
      from: this.#lastId,
      signal,
      onMessages: (messages, lastId) => {
        this.#lastId = lastId;
        const events = messages.flatMap(({ event, data }) => this.read(event, data) ?? []);
        this.#tell({ kind: 'events', events, lastId });
        if (events.length > 0) this.#heard(events);
      },
      onLive: (live) => {
        if (signal.aborted) return;
        this.#tell({ kind: 'state', live, lastId: this.#lastId });
        this.#setLive(live);
      },
      onOutcome: reportOutcome,
    });
    if (!signal.aborted) this.#setLive(false);
  }

  #tell(told: Told<E>): void {
    this.#channel?.postMessage(told);
  }

  #heard(events: E[]): void {
    for (const call of this.#listeners) call(events);
  }

  #setLive(live: boolean): void {
    if (live === this.live) return;
    this.live = live;
    for (const call of this.#watchers) call(live);
  }
}

function said<T>(text: string): Partial<T> | null {
  try {
    return JSON.parse(text) as Partial<T>;
  } catch {
    return null;
  }
}

export const jobEvent: Reader<JobEvent> = (event, text) => {
  const about = said<JobEvent & { unread: number }>(text);
  return about && { event, jobId: about.jobId ?? '', type: about.type ?? '', data: about.data ?? about.unread ?? null };
};

export const fileChange: Reader<FileChange> = (event, text) => {
  const about = said<FileEvent>(text);
  if (!about) return null;
  const { fileId = '', parentId = null, oldParentId = null } = about;
  return { event, fileId, parentId, oldParentId };
};

const browser: Surroundings = {
  get locks() {
    return typeof navigator === 'undefined' ? undefined : (navigator.locks as Locks | undefined);
  },
  visibility: {
    visible: () => !document.hidden,
    onChange: (call) => {
      document.addEventListener('visibilitychange', call);
      return () => document.removeEventListener('visibilitychange', call);
    },
  },
  channel: (name) => new BroadcastChannel(name),
  follow: (options) =>
    follow({
      ...options,
      // As soon as anything else finds the product again, so does this.
      wait: (ms, signal) => {
        const woken = new AbortController();
        const wake = () => woken.abort();
        signal.addEventListener('abort', wake);
        const forget = connection.whenBack(wake);
        return pause(ms, woken.signal).finally(() => {
          forget();
          signal.removeEventListener('abort', wake);
        });
      },
    }),
};
