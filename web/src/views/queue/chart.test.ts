import { describe, expect, it } from 'vitest';
import { bucketsOf, countScale, linePath, lonePoints, startOf, timeScale, totalOf } from './chart';

const now = Date.parse('2026-03-01T12:34:56Z');
const minute = (at: string, completed: number, failed = 0, waitedMs = 0, workedMs = 0) => ({
  at: `2026-03-01T${at}:00Z`,
  completed,
  failed,
  waitedMs,
  workedMs,
});

describe('bucketsOf', () => {
  it('gives each minute of the last hour, empty ones too', () => {
    const buckets = bucketsOf([minute('11:35', 2, 1, 300, 50), minute('12:34', 1)], 'hour', now);
    expect(buckets).toHaveLength(60);
    expect(new Date(buckets[0]?.at ?? 0).toISOString()).toBe('2026-03-01T11:35:00.000Z');
    expect(buckets[0]).toMatchObject({ completed: 2, failed: 1, waited: 150, worked: 25 });
    expect(buckets[1]).toMatchObject({ completed: 0, waited: null, worked: null });
    expect(buckets.at(-1)).toMatchObject({ completed: 1, waited: 0 });
  });

  it('gathers a day by quarters of an hour, and leaves out what is older or to come', () => {
    const history = [minute('12:29', 5), minute('12:30', 1, 0, 10), minute('12:31', 3, 0, 30), minute('12:50', 9)];
    const buckets = bucketsOf([{ ...minute('12:00', 7), at: '2026-02-27T12:00:00Z' }, ...history], 'day', now);
    expect(buckets).toHaveLength(96);
    expect(buckets.at(-1)).toMatchObject({ completed: 4, waited: 10 });
    expect(buckets.at(-2)).toMatchObject({ completed: 5 });
    expect(totalOf(buckets).completed).toBe(9);
    expect(startOf('day', now)).toBe(buckets[0]?.at);
  });

  it('weighs averages by how many jobs there were', () => {
    const total = totalOf(bucketsOf([minute('12:00', 9, 2, 900, 90), minute('12:01', 1, 0, 1100, 0)], 'hour', now));
    expect(total).toEqual({ completed: 10, failed: 2, waited: 200, worked: 9 });
    expect(totalOf(bucketsOf([], 'hour', now))).toEqual({ completed: 0, failed: 0, waited: null, worked: null });
  });
});

describe('scales', () => {
  it.each([
    [0, 1, [0, 1]],
    [1, 1, [0, 1]],
    [3, 3, [0, 1, 2, 3]],
    [4, 4, [0, 2, 4]],
    [7, 10, [0, 5, 10]],
    [100, 100, [0, 50, 100]],
    [1234, 1500, [0, 500, 1000, 1500]],
  ])('counts up to %i', (most, top, ticks) => {
    expect(countScale(most)).toEqual({ top, ticks });
  });

  it.each([
    [0, 1, [0, 1]],
    [140, 150, null],
    [900, 1000, [0, 500, 1000]],
    [45_000, 45_000, [0, 15_000, 30_000, 45_000]],
    [400_000, 600_000, [0, 300_000, 600_000]],
    [20 * 3_600_000, 24 * 3_600_000, null],
    [30 * 86_400_000, 30 * 86_400_000, null],
  ])('takes times up to %i ms', (most, top, ticks) => {
    const scale = timeScale(most);
    expect(scale.top).toBeGreaterThanOrEqual(most);
    if (ticks) expect(scale).toEqual({ top, ticks });
    expect(scale.ticks.length).toBeLessThanOrEqual(4);
  });
});

describe('linePath', () => {
  const x = (index: number) => index * 10;
  const y = (value: number) => 100 - value;

  it('breaks where there is nothing', () => {
    expect(linePath([1, 2, null, 3, null, null, 5, 6], x, y)).toBe('M0 99L10 98M30 97M60 95L70 94');
    expect(linePath([null, null], x, y)).toBe('');
  });

  it('leaves points that stand alone to be drawn as such', () => {
    expect(lonePoints([1, 2, null, 0, null, null, 5])).toEqual([3, 6]);
    expect(lonePoints([null])).toEqual([]);
  });
});
