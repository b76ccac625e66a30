import { ApiError, asApiError, problemOf } from '$lib/api/problem';
import { type SseMessage, SseParser } from './sse';

/** Silence after which a stream is taken for dead; the product says something every 15 seconds. */
const SILENCE_MS = 50_000;
const SOONEST_MS = 1_000;
const LATEST_MS = 60_000;

export interface FollowOptions {
  url: string;
  /** Where to begin: the id of the last message known, `''` for from now on. */
  from: string;
  signal: AbortSignal;
  /** Messages, and where in the stream one is now. Called without messages when only the place moved. */
  onMessages(messages: SseMessage[], lastId: string): void;
  /** Whether messages come as they happen. */
  onLive(live: boolean): void;
  /** How an attempt to connect went; null for well. */
  onOutcome?(error: ApiError | null): void;
  fetch?: typeof fetch;
  /** Waits, or is woken earlier. */
  wait?(ms: number, signal: AbortSignal): Promise<void>;
}

/** Waits; an abort ends it early, and quietly. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resume) => {
    if (signal.aborted) return resume();
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resume();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done);
  });
}

/** Milliseconds before the next try: what the server asks for, more with each failure, and never all tabs at once. */
export function backoffMs(failures: number, retryMs: number | null, random: number): number {
  const first = Math.max(SOONEST_MS, retryMs ?? 0);
  const grown = Math.min(LATEST_MS, first * 2 ** Math.max(0, failures - 1));
  return Math.round(grown * (0.75 + random / 2));
}

/**
 * Follows a stream of Server-Sent Events until the signal says to stop, coming back where it was when it breaks off.
 * Done by `fetch` and not by `EventSource`, which keeps back why it was refused. Ends by itself only if it is refused for good.
 */
export async function follow(options: FollowOptions): Promise<void> {
  const { url, signal, onMessages, onLive, onOutcome = () => {}, wait = pause } = options;
  const ask = options.fetch ?? fetch;
  let lastId = options.from;
  let retryMs: number | null = null;
  let failures = 0;
  while (!signal.aborted) {
    const flight = new AbortController();
    const stop = () => flight.abort();
    signal.addEventListener('abort', stop);
    let silence: ReturnType<typeof setTimeout> | undefined;
    const heard = () => {
      clearTimeout(silence);
      silence = setTimeout(stop, SILENCE_MS);
    };
    let retryAfter: number | null = null;
    try {
      heard();
      const answer = await ask(url, {
        headers: { Accept: 'text/event-stream', ...(lastId ? { 'Last-Event-ID': lastId } : {}) },
        cache: 'no-store',
        credentials: 'same-origin',
        signal: flight.signal,
      });
      if (!answer.ok || !answer.body) throw await refusal(answer);
      if (!answer.headers.get('Content-Type')?.startsWith('text/event-stream'))
        throw new ApiError('hop', answer.status, '', '');
      onOutcome(null);
      onLive(true);
      failures = 0;
      const parser = new SseParser(lastId);
      const reader = answer.body.getReader();
      const decoder = new TextDecoder();
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        heard();
        const messages = parser.push(decoder.decode(value, { stream: true }));
        retryMs = parser.retryMs ?? retryMs;
        if (messages.length > 0 || parser.lastId !== lastId) {
          lastId = parser.lastId;
          onMessages(messages, lastId);
        }
      }
    } catch (thrown) {
      const error = asApiError(thrown);
      if (!signal.aborted && error.cause !== 'cancelled') {
        onOutcome(error);
        // Who may not, or asks what is not there, need not ask again.
        if (error.cause === 'product' && [400, 401, 403, 404].includes(error.status)) {
          onLive(false);
          return;
        }
        retryAfter = error.retryAfter;
      }
    } finally {
      clearTimeout(silence);
      signal.removeEventListener('abort', stop);
    }
    if (signal.aborted) break;
    onLive(false);
    failures += 1;
    await wait(retryAfter !== null ? retryAfter * 1000 : backoffMs(failures, retryMs, Math.random()), signal);
  }
  onLive(false);
}

async function refusal(answer: Response): Promise<ApiError> {
  const body = await answer.json().catch(() => null);
  return problemOf(answer.status, body, (name) => answer.headers.get(name));
}
