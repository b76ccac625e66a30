import { describe, expect, it } from 'vitest';
import { askFor, cutMarks, markedParts, readSought, writeSought } from './sought';

const nothing = { q: '', kind: null, when: null, size: null, tag: null, under: null };

describe('what is sought', () => {
  it('is read from an address as it was written', () => {
    const sought = { ...nothing, q: 'a & b', kind: 'pdf', tag: 'x/y', under: '0123456789abcdef01234567' } as const;
    expect(readSought(writeSought(sought))).toEqual(sought);
  });

  it('is nothing where an address holds nonsense', () => {
    expect(readSought('kind=toString&when=never&size=&under=../x')).toEqual(nothing);
  });

  it('asks from the beginning of a day on', () => {
    const now = new Date(2026, 10, 26, 15, 30);
    const asked = askFor({ ...nothing, q: ' plan ', when: 'day', kind: 'image', size: 'mega' }, now);
    expect(asked).toEqual({
      q: 'plan',
      mime: 'image/',
      minSize: 1e6,
      from: new Date(2026, 10, 26).toISOString(),
    });
    expect(askFor({ ...nothing, q: 'x', kind: 'folder' }, now)).toEqual({ q: 'x', type: 'folder' });
  });
});

describe('marks', () => {
  it('stand at the beginnings of words', () => {
    expect(markedParts('Garden plan, gardening.pdf', 'gard')).toEqual(['', 'Gard', 'en plan, ', 'gard', 'ening.pdf']);
    expect(markedParts('unregarded', 'gard')).toEqual(['unregarded']);
    expect(markedParts('a.b', '.*')).toEqual(['a.b']);
  });

  it('cut a text where the product says, and nowhere else', () => {
    expect(cutMarks('one two three', [{ start: 4, end: 7 }])).toEqual(['one ', 'two', ' three']);
    expect(cutMarks('short', [{ start: 3, end: 99 }])).toEqual(['short']);
    expect(cutMarks('none', [])).toEqual(['none']);
  });
});
