import { describe, expect, it } from 'vitest';
import { decode, decodeAs } from './text';

const bytes = (...values: number[]) => new Uint8Array(values);
const textOf = async (from: Uint8Array, cut = false) => (await decode(from, cut)).text;

describe('decode', () => {
  it('reads UTF-8 and what came before it', async () => {
    expect(await textOf(bytes(0xc3, 0xa9))).toBe('é');
    expect(await textOf(bytes(0x63, 0x61, 0x66, 0xe9, 0x20, 0x6e, 0x6f, 0xeb, 0x6c))).toBe('café noël');
  });
  it('takes a byte order mark at its word', async () => {
    expect(await textOf(bytes(0xff, 0xfe, 0x41, 0x00))).toBe('A');
    expect(await textOf(bytes(0xfe, 0xff, 0x00, 0x41))).toBe('A');
    expect(await textOf(bytes(0xef, 0xbb, 0xbf, 0x41))).toBe('A');
  });
  it('sees UTF-16 without its mark', async () => {
    expect(await textOf(bytes(0x41, 0, 0x42, 0, 0x43, 0, 0x44, 0))).toBe('ABCD');
    expect(await textOf(bytes(0, 0x41, 0, 0x42, 0, 0x43, 0, 0x44))).toBe('ABCD');
  });
  it('leaves out a character that was cut', async () => {
    expect(await textOf(bytes(0x41, 0xe2, 0x82), true)).toBe('A');
  });
  it('finds out what Japanese and Russian were written in', async () => {
    // 日本語の文章です, in Shift_JIS.
    const japanese = bytes(
      0x93,
      0xfa,
      0x96,
      0x7b,
      0x8c,
      0xea,
      0x82,
      0xcc,
      0x95,
      0xb6,
      0x8f,
      0xcd,
      0x82,
      0xc5,
      0x82,
      0xb7,
    );
    expect(await decode(japanese, false)).toEqual({ text: '日本語の文章です', encoding: 'shift_jis' });
    // Привет, как дела сегодня, in KOI8-R.
    const russian = bytes(
      ...[0xf0, 0xd2, 0xc9, 0xd7, 0xc5, 0xd4, 0x2c, 0x20, 0xcb, 0xc1, 0xcb, 0x20, 0xc4, 0xc5, 0xcc, 0xc1],
      ...[0x20, 0xd3, 0xc5, 0xc7, 0xcf, 0xc4, 0xce, 0xd1],
    );
    expect(await decode(russian, false)).toEqual({ text: 'Привет, как дела сегодня', encoding: 'koi8-r' });
  });
  it('can be told', () => {
    expect(decodeAs(bytes(0xb1, 0xe6), false, 'iso-8859-2').text).toBe('ąć');
  });
});
