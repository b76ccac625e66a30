import { describe, expect, it } from 'vitest';
import { decode } from './text';

const bytes = (...values: number[]) => new Uint8Array(values);

describe('decode', () => {
  it('reads UTF-8 and what came before it', () => {
    expect(decode(bytes(0xc3, 0xa9), false)).toBe('é');
    expect(decode(bytes(0xe9), false)).toBe('é');
  });
  it('takes a byte order mark at its word', () => {
    expect(decode(bytes(0xff, 0xfe, 0x41, 0x00), false)).toBe('A');
    expect(decode(bytes(0xfe, 0xff, 0x00, 0x41), false)).toBe('A');
    expect(decode(bytes(0xef, 0xbb, 0xbf, 0x41), false)).toBe('A');
  });
  it('leaves out a character that was cut', () => {
    expect(decode(bytes(0x41, 0xe2, 0x82), true)).toBe('A');
  });
});
