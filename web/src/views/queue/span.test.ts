import { describe, expect, it } from 'vitest';
import { parseSpan, parseWhole, spanText } from './span';

describe('parseSpan', () => {
  it.each([
    ['30', 30_000],
    ['30 s', 30_000],
    ['1.5h', 5_400_000],
    ['1,5 h', 5_400_000],
    ['2 h 30 min', 9_000_000],
    [' 250MS ', 250],
    ['7d', 604_800_000],
    ['0', 0],
  ])('%s', (text, ms) => {
    expect(parseSpan(text)).toBe(ms);
  });

  it.each(['', 'soon', '5 weeks', '5 min later', '-5 s', '5 constructor'])('refuses “%s”', (text) => {
    expect(parseSpan(text)).toBeNull();
  });

  it('reads what it writes', () => {
    for (const ms of [1, 999, 1000, 90_000, 3_600_000, 86_400_000]) expect(parseSpan(spanText(ms))).toBe(ms);
  });
});

describe('parseWhole', () => {
  it('takes whole numbers only', () => {
    expect(parseWhole(' -15 ')).toBe(-15);
    for (const text of ['', '1.5', '1e3', 'x']) expect(parseWhole(text)).toBeNull();
  });
});
