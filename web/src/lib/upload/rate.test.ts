import { describe, expect, it } from 'vitest';
import { Rate } from './rate';

function steady(bytesPerSecond: number, seconds: number): Rate {
  const rate = new Rate();
  for (let s = 0; s <= seconds; s++) rate.note(s * 1000, s * bytesPerSecond);
  return rate;
}

describe('Rate', () => {
  it('says nothing before it has seen enough', () => {
    const rate = new Rate();
    expect(rate.speed(0)).toBeNull();
    rate.note(0, 0);
    rate.note(100, 5000);
    expect(rate.speed(100)).toBeNull();
    expect(rate.secondsLeft(100, 100)).toBeNull();
  });

  it('knows a steady speed', () => {
    const rate = steady(1000, 5);
    expect(rate.speed(5000)).toBeCloseTo(1000);
    expect(rate.secondsLeft(5000, 10_000)).toBeCloseTo(10);
  });

  it('forgets what is long ago', () => {
    const rate = steady(1000, 60);
    for (let s = 61; s <= 75; s++) rate.note(s * 1000, 60_000 + (s - 60) * 100);
    expect(rate.speed(75_000)).toBeCloseTo(100, -1);
  });

  it('slows down while nothing arrives', () => {
    const rate = steady(1000, 5);
    expect(rate.speed(10_000) ?? 0).toBeCloseTo(500);
    expect(rate.speed(100_000) ?? 0).toBeLessThan(60);
  });

  it('starts over when bytes are taken back', () => {
    const rate = steady(1000, 5);
    rate.note(6000, 2000);
    expect(rate.speed(6000)).toBeNull();
  });

  it('needs no time for nothing', () => {
    expect(new Rate().secondsLeft(0, 0)).toBe(0);
  });
});
