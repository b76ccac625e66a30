import { describe, expect, it, vi } from 'vitest';
import { backoffMs, type FollowOptions, follow } from './follow';

vi.stubGlobal('navigator', { language: 'en' });

const stream = (...pieces: string[]) =>
  new Response(
    new ReadableStream({
      start(body) {
        for (const piece of pieces) body.enqueue(new TextEncoder().encode(piece));
        body.close();
      },
    }),
    { headers: { 'Content-Type': 'text/event-stream; charset=utf-8' } },
  );

const problem = (status: number, code: string, headers: Record<string, string> = {}) =>
  new Response(JSON.stringify({ code }), {
    status,
    headers: { 'Content-Type': 'application/problem+json', ...headers },
  });

/** Follows answers given one after another, and stops after the last one. */
async function run(answers: (() => Response | Promise<never>)[], from = '') {
  const stop = new AbortController();
  const log: string[] = [];
  const asked: (string | null)[] = [];
  const waits: number[] = [];
  const options: FollowOptions = {
    url: '/events',
    from,
    signal: stop.signal,
    onMessages: (messages, lastId) => log.push(`${messages.map(({ data }) => data).join(',')}@${lastId}`),
    onLive: (live) => log.push(live ? 'live' : 'not live'),
    fetch: async (_url, init) => {
      asked.push(new Headers(init?.headers).get('Last-Event-ID'));
      const next = answers.shift();
      if (next) return next();
      stop.abort();
      throw new DOMException('called off', 'AbortError');
    },
    wait: async (ms) => {
      waits.push(ms);
    },
  };
  await follow(options);
  return { log, asked, waits, left: answers.length };
}

describe('follow', () => {
  it('comes back to where it was', async () => {
    const { log, asked } = await run([
      () => stream('retry: 2000\n\n', 'id: 5\nevent: start\ndata: a\n\n', 'id: 6\ndata: b\n\n'),
      () => stream(':\nid: 9\n\n'),
    ]);
    expect(asked).toEqual([null, '6', '9']);
    expect(log).toEqual(['live', 'a@5', 'b@6', 'not live', 'live', '@9', 'not live', 'not live']);
  });

  it('goes on where another tab was', async () => {
    expect((await run([], '77')).asked).toEqual(['77']);
  });

  it('tries again after a lost connection, a proxy’s page, and when the server says', async () => {
    const { asked, waits } = await run([
      () => Promise.reject(new TypeError('no network')),
      () => new Response('<h1>Bad gateway</h1>', { status: 502 }),
      () => problem(429, 'rate_limited', { 'Retry-After': '10' }),
      () => new Response('hello', { headers: { 'Content-Type': 'text/html' } }),
    ]);
    expect(asked).toHaveLength(5);
    expect(waits[2]).toBe(10_000);
  });

  it('does not ask again what it may not know', async () => {
    const { log, left } = await run([() => problem(401, 'unauthorized'), () => stream('')]);
    expect(left).toBe(1);
    expect(log).toEqual(['not live']);
  });
});

describe('backoffMs', () => {
  it('grows, is bounded, and differs from tab to tab', () => {
    expect(backoffMs(1, 2000, 0.5)).toBe(2000);
    expect(backoffMs(3, 2000, 0.5)).toBe(8000);
    expect(backoffMs(50, null, 0.5)).toBe(60_000);
    expect(backoffMs(1, null, 0)).toBeLessThan(backoffMs(1, null, 1));
  });
});
