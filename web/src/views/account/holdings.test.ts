import { describe, expect, it } from 'vitest';
import { holdingsOf } from './holdings';

const none = { count: 0, bytes: 0 };

describe('what the room is taken by', () => {
  it('is named by kinds of files, the largest first, then versions and trash', () => {
    const types = [
      { mimeType: 'image/png', count: 2, bytes: 30 },
      { mimeType: 'application/pdf', count: 1, bytes: 25 },
      { mimeType: 'image/jpeg', count: 1, bytes: 5 },
      { mimeType: 'text/csv', count: 3, bytes: 15 },
      { mimeType: 'application/zip', count: 1, bytes: 1 },
      { mimeType: null, count: 4, bytes: 2 },
    ];
    const held = holdingsOf(
      { types, versions: { count: 2, bytes: 100 }, trash: { count: 1, bytes: 0 }, complete: true },
      178,
    );
    expect(held).toEqual([
      { part: 'document', count: 4, bytes: 40 },
      { part: 'image', count: 3, bytes: 35 },
      { part: 'other', count: 4, bytes: 2 },
      { part: 'archive', count: 1, bytes: 1 },
      { part: 'versions', count: 2, bytes: 100 },
      { part: 'trash', count: 1, bytes: 0 },
    ]);
  });

  it('has a last part for what is used and in none of the others', () => {
    expect(holdingsOf({ types: [], versions: none, trash: none, complete: true }, 0)).toEqual([]);
    expect(holdingsOf({ types: [], versions: none, trash: none, complete: false }, 7)).toEqual([
      { part: 'rest', bytes: 7, count: null },
    ]);
    // what was counted a moment later may be more
    const held = holdingsOf({ types: [], versions: none, trash: { count: 1, bytes: 9 }, complete: true }, 7);
    expect(held).toEqual([{ part: 'trash', count: 1, bytes: 9 }]);
  });
});
