import { describe, expect, it } from 'vitest';
import { countOf, everything, isEmpty, isSelected, justOne, nothing, range, toggle, without } from './selection';

const chosen = (s: Parameters<typeof isSelected>[0], of = ['a', 'b', 'c', 'd']) =>
  of.filter((id) => isSelected(s, id)).join('');

describe('selection', () => {
  it('starts with nothing', () => {
    expect(isEmpty(nothing, 4)).toBe(true);
  });

  it('a click selects one entry', () => {
    expect(chosen(justOne('b'))).toBe('b');
  });

  it('toggling adds and takes away, and moves the anchor', () => {
    const two = toggle(justOne('a'), 'c');
    expect(chosen(two)).toBe('ac');
    expect(two.anchor).toBe('c');
    expect(chosen(toggle(two, 'a'))).toBe('c');
  });

  it('a range replaces, and can be drawn again from the same anchor', () => {
    const first = range(toggle(justOne('d'), 'b'), ['b', 'c', 'd'], false);
    expect(chosen(first)).toBe('bcd');
    expect(first.anchor).toBe('b');
    expect(chosen(range(first, ['a', 'b'], false))).toBe('ab');
  });

  it('a range can add to what is there', () => {
    expect(chosen(range(justOne('a'), ['c', 'd'], true))).toBe('acd');
  });

  it('all of a list needs no ids', () => {
    const all = everything(nothing);
    expect(chosen(all)).toBe('abcd');
    expect(countOf(all, 100_000)).toBe(100_000);
    const butOne = toggle(all, 'b');
    expect(chosen(butOne)).toBe('acd');
    expect(countOf(butOne, 100_000)).toBe(99_999);
    expect(chosen(range(butOne, ['a', 'b'], true))).toBe('abcd');
    expect(chosen(range(butOne, ['a', 'b'], false))).toBe('ab');
  });

  it('all of an empty list is nothing', () => {
    expect(isEmpty(everything(nothing), 0)).toBe(true);
  });

  it('forgets what is gone, the anchor too', () => {
    const s = without(toggle(justOne('a'), 'b'), ['b', 'x']);
    expect(chosen(s)).toBe('a');
    expect(s.anchor).toBeNull();
    expect(without(s, ['z'])).toBe(s);
  });
});
