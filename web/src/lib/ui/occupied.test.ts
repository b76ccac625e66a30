import { describe, expect, it } from 'vitest';
import { isOccupied } from './occupied';

/** A page on which something has the focus that is one of `kinds`, and perhaps a dialog is open. */
const page = (kinds: string[], dialog = false) =>
  ({
    activeElement: { matches: (wanted: string) => wanted.split(', ').some((one) => kinds.includes(one)) },
    querySelector: () => (dialog ? {} : null),
  }) as unknown as Document;

describe('the reader', () => {
  it('is occupied by what is typed into, and by a dialog', () => {
    expect(isOccupied(page(['textarea']))).toBe(true);
    expect(isOccupied(page(['[contenteditable]']))).toBe(true);
    expect(isOccupied(page([], true))).toBe(true);
  });

  it('is not by anything else that has the focus', () => {
    expect(isOccupied(page(['button']))).toBe(false);
    expect(isOccupied({ activeElement: null, querySelector: () => null })).toBe(false);
  });
});
