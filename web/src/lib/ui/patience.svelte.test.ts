import { flushSync } from 'svelte';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { patience } from './patience.svelte';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

it('ends when the line hardly moves, and begins anew with the next try', () => {
  const wait = $state({ now: false });
  const stop = $effect.root(() => {
    const held = patience(() => wait.now);
    expect(held.lasts).toBe(false);
    for (let attempt = 0; attempt < 2; attempt++) {
      wait.now = true;
      flushSync();
      expect(held.lasts).toBe(true);
      vi.advanceTimersByTime(14_999);
      expect(held.lasts).toBe(true);
      vi.advanceTimersByTime(1);
      expect(held.lasts).toBe(false);
      wait.now = false;
      flushSync();
      expect(held.lasts).toBe(false);
    }
  });
  stop();
});
