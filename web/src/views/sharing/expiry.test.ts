import { describe, expect, it } from 'vitest';
import { dayEnd, localOf } from './expiry';

describe('the day on which a link ends', () => {
  it.each(['2026-01-01', '2026-11-26', '2028-02-29', '2026-03-29'])('%s is kept', (day) => {
    expect(localOf(dayEnd(day))).toBe(day);
  });

  it('lasts to its end', () => {
    expect(new Date(dayEnd('2026-11-26')).getHours()).toBe(23);
  });
});
