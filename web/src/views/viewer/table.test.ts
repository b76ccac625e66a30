import { describe, expect, it } from 'vitest';
import { parseTable, widthsOf } from './table';

const whole = { tabs: false, cut: false };

describe('parseTable', () => {
  it('finds out what separates the values', () => {
    for (const separator of [',', ';', '\t', '|']) {
      const text = ['name', 'size\na', '1\nb', '2\n'].join(separator);
      expect(parseTable(text, whole)).toEqual({
        head: ['name', 'size'],
        rows: [
          ['a', '1'],
          ['b', '2'],
        ],
        columns: 2,
      });
    }
  });
  it('takes the word of a spreadsheet program', () => {
    expect(parseTable('sep=;\r\na,b;c\r\n1,5;2\r\n', whole).rows).toEqual([['1,5', '2']]);
  });
  it('keeps separators, quotes and line breaks within quotes', () => {
    expect(parseTable('a,b\n"x, y","she said ""no""\nand left"\n', whole).rows).toEqual([
      ['x, y', 'she said "no"\nand left'],
    ]);
  });
  it('leaves out a row that was cut, and rows of nothing', () => {
    expect(parseTable('a,b\n1,2\n\n3,4', { tabs: false, cut: true }).rows).toEqual([['1', '2']]);
  });
  it('reads rows of different length', () => {
    expect(parseTable('a\n1\t2\t3\n', { tabs: true, cut: false }).columns).toBe(3);
  });
});

describe('widthsOf', () => {
  it('fits what is there, within bounds', () => {
    const table = parseTable(`a,b\n${'x'.repeat(100)},twelve chars\n`, whole);
    expect(widthsOf(table, 3)).toEqual([42, 12, 4]);
  });
});
