import { describe, expect, it } from 'vitest';
import { joinBytes, splitBytes } from './quota';

describe('quotas', () => {
  it.each([
    [0, '0', 'MB'],
    [5e6, '5', 'MB'],
    [10e9, '10', 'GB'],
    [1.5e9, '1.5', 'GB'],
    [2e12, '2', 'TB'],
    [1_234_567_890, '1235', 'MB'],
  ])('%d bytes are %s %s', (bytes, number, unit) => {
    expect(splitBytes(bytes)).toEqual({ number, unit });
  });

  it.each([
    ['10', 'GB', 10e9],
    ['1.5', 'TB', 1.5e12],
    ['1,5', 'MB', 1.5e6],
    ['', 'GB', null],
    ['-1', 'GB', null],
    ['ten', 'GB', null],
    ['99999999999999', 'TB', null],
  ] as const)('“%s” %s', (number, unit, bytes) => {
    expect(joinBytes(number, unit)).toBe(bytes);
  });
});
