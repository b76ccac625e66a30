import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Reading } from './reading.svelte';

const guards = new Set<(event: Event) => void>();
vi.stubGlobal('addEventListener', (_: string, guard: (event: Event) => void) => guards.add(guard));
vi.stubGlobal('removeEventListener', (_: string, guard: (event: Event) => void) => guards.delete(guard));

/** Whether the browser would ask before the page is closed. */
function asks(): boolean {
  const event = new Event('beforeunload', { cancelable: true });
  for (const guard of guards) guard(event);
  return event.defaultPrevented;
}

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe('what is being read', () => {
  it('is work that is not finished, and is spoken of when it lasts', () => {
    const reading = new Reading();
    expect([reading.active, asks()]).toEqual([false, false]);
    const reader = reading.begin();
    expect([reading.active, reading.lasts, asks()]).toEqual([true, false, true]);
    reader.found();
    vi.advanceTimersByTime(300);
    expect([reading.lasts, reading.found]).toEqual([true, 1]);
    for (let n = 0; n < 999; n++) reader.found();
    vi.advanceTimersByTime(80);
    reader.found();
    expect(reading.found).toBe(1001);
    reader.end();
    expect([reading.active, reading.lasts, reading.found, asks()]).toEqual([false, false, 0, false]);
  });

  it('is over with the last of what was dropped, of which each counts its own', () => {
    const reading = new Reading();
    const [first, second] = [reading.begin(), reading.begin()];
    for (let n = 0; n < 5; n++) first.found();
    second.found();
    vi.advanceTimersByTime(300);
    expect(reading.found).toBe(6);
    first.end();
    first.end();
    expect([reading.active, asks()]).toEqual([true, true]);
    vi.advanceTimersByTime(80);
    second.found();
    expect(reading.found).toBe(2);
    second.end();
    expect([reading.active, asks()]).toEqual([false, false]);
  });

  it('can be called off', () => {
    const reading = new Reading();
    const [first, second] = [reading.begin(), reading.begin()];
    reading.cancel();
    expect([first.signal.aborted, second.signal.aborted]).toEqual([true, true]);
    first.found();
    vi.advanceTimersByTime(1000);
    expect([reading.active, reading.lasts, reading.found, asks()]).toEqual([false, false, 0, false]);
  });
});
