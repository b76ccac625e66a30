import type { JobMinute } from '$lib/api/types';

const MINUTE = 60_000;

export type Range = 'hour' | 'day';

/** How long a stretch of each range is, and how many there are. */
export const RANGES: Record<Range, { stepMs: number; count: number }> = {
  hour: { stepMs: MINUTE, count: 60 },
  day: { stepMs: 15 * MINUTE, count: 96 },
};

/** What ended within a stretch of time. */
export interface Bucket {
  /** Its beginning, in milliseconds. */
  at: number;
  completed: number;
  failed: number;
  /** How long a completed job waited and worked on the average, in milliseconds; null where none was. */
  waited: number | null;
  worked: number | null;
}

/** The beginning of the first stretch of a range that ends with the one of `now`. */
export function startOf(range: Range, now: number): number {
  const { stepMs, count } = RANGES[range];
  return Math.floor(now / stepMs) * stepMs - (count - 1) * stepMs;
}

/** The history as stretches of the same length without a gap, oldest first. */
export function bucketsOf(history: readonly JobMinute[], range: Range, now: number): Bucket[] {
  const { stepMs, count } = RANGES[range];
  const start = startOf(range, now);
  const sums = Array.from({ length: count }, (_, index) => ({
    at: start + index * stepMs,
    completed: 0,
    failed: 0,
    waitedMs: 0,
    workedMs: 0,
  }));
  for (const minute of history) {
    const sum = sums[Math.floor((Date.parse(minute.at) - start) / stepMs)];
    if (!sum) continue;
    sum.completed += minute.completed;
    sum.failed += minute.failed;
    sum.waitedMs += minute.waitedMs;
    sum.workedMs += minute.workedMs;
  }
  return sums.map(({ at, completed, failed, waitedMs, workedMs }) => ({
    at,
    completed,
    failed,
    waited: completed > 0 ? waitedMs / completed : null,
    worked: completed > 0 ? workedMs / completed : null,
  }));
}

/** All of a range together. */
export function totalOf(buckets: readonly Bucket[]): Omit<Bucket, 'at'> {
  const sum = (of: (bucket: Bucket) => number) => buckets.reduce((total, bucket) => total + of(bucket), 0);
  const completed = sum((bucket) => bucket.completed);
  const mean = (of: (bucket: Bucket) => number | null) =>
    completed > 0 ? sum((bucket) => (of(bucket) ?? 0) * bucket.completed) / completed : null;
  return {
    completed,
    failed: sum((bucket) => bucket.failed),
    waited: mean((bucket) => bucket.waited),
    worked: mean((bucket) => bucket.worked),
  };
}

export interface Scale {
  /** The value at the top edge. */
  top: number;
  /** Values that get a line, from 0 to the top. */
  ticks: number[];
}

/** A scale for counts: round steps of 1, 2 or 5 and their tens, never a part of one. */
export function countScale(most: number): Scale {
  const rough = Math.max(1, most) / 3;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = Math.max(1, ([1, 2, 5, 10].find((one) => one * power >= rough) ?? 10) * power);
  return upTo(step, most);
}

/** Steps of time that people count by, in milliseconds: below a minute by tens, above as clocks do. */
const TIME_STEPS = [
  ...[1, 2, 5, 10, 20, 50, 100, 200, 500],
  ...[1, 2, 5, 10, 15, 30].map((seconds) => seconds * 1000),
  ...[1, 2, 5, 10, 15, 30].map((minutes) => minutes * MINUTE),
  ...[1, 2, 4, 8, 12, 24].map((hours) => hours * 60 * MINUTE),
];

/** A scale for stretches of time. */
export function timeScale(mostMs: number): Scale {
  const rough = Math.max(1, mostMs) / 3;
  const day = 24 * 60 * MINUTE;
  const step = TIME_STEPS.find((one) => one >= rough) ?? Math.ceil(rough / day) * day;
  return upTo(step, mostMs);
}

function upTo(step: number, most: number): Scale {
  const count = Math.max(1, Math.ceil(most / step));
  return { top: count * step, ticks: Array.from({ length: count + 1 }, (_, index) => index * step) };
}

/** The indices of values without a neighbour, through which no line goes. */
export function lonePoints(values: readonly (number | null)[]): number[] {
  const there = (index: number) => (values[index] ?? null) !== null;
  return values.flatMap((_, index) => (there(index) && !there(index - 1) && !there(index + 1) ? [index] : []));
}

/** The line through `values` as an SVG path, broken where there is no value. */
export function linePath(
  values: readonly (number | null)[],
  x: (index: number) => number,
  y: (value: number) => number,
) {
  let path = '';
  values.forEach((value, index) => {
    if (value === null) return;
    const begins = (values[index - 1] ?? null) === null;
    path += `${begins ? 'M' : 'L'}${round(x(index))} ${round(y(value))}`;
  });
  return path;
}

const round = (value: number) => Math.round(value * 10) / 10;
