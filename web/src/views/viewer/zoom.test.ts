import { describe, expect, it } from 'vitest';
import { bound, fitInto, fitted, largestScale, zoomAt } from './zoom';

describe('fitInto', () => {
  it('shrinks what is too large and leaves what is small', () => {
    expect(fitInto({ width: 4000, height: 2000 }, { width: 1000, height: 1000 })).toEqual({ width: 1000, height: 500 });
    expect(fitInto({ width: 32, height: 32 }, { width: 1000, height: 1000 })).toEqual({ width: 32, height: 32 });
  });
});

describe('zoomAt', () => {
  it('keeps the point under the pointer', () => {
    const point = { x: 100, y: -50 };
    const pose = zoomAt(fitted, 2, point, 8);
    // The point of the picture that lay under the pointer, and where it lies now.
    expect([100 * pose.scale + pose.x - 100, -50 * pose.scale + pose.y + 50]).toEqual([0, 0]);
  });

  it('stops at both ends', () => {
    expect(zoomAt(fitted, 100, { x: 0, y: 0 }, 4).scale).toBe(4);
    expect(zoomAt({ scale: 2, x: 0, y: 0 }, 0.01, { x: 0, y: 0 }, 4).scale).toBe(1);
  });
});

describe('bound', () => {
  const shown = { width: 800, height: 400 };
  const frame = { width: 1000, height: 1000 };
  it('centres what is smaller than the frame', () => {
    expect(bound({ scale: 1, x: 300, y: -20 }, shown, frame, 4)).toEqual({ scale: 1, x: 0, y: 0 });
  });
  it('lets one look at every edge, not beyond', () => {
    expect(bound({ scale: 2, x: 9000, y: 9000 }, shown, frame, 4)).toEqual({ scale: 2, x: 300, y: 0 });
  });
});

describe('largestScale', () => {
  it('reaches twice the own pixels', () => {
    expect(largestScale({ width: 4000, height: 3000 }, { width: 1000, height: 750 })).toBe(8);
    expect(largestScale({ width: 100, height: 100 }, { width: 100, height: 100 })).toBe(3);
  });
});
