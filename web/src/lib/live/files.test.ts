import { describe, expect, it } from 'vitest';
import { concerns, type FileChange } from './files';

const change = (more: Partial<FileChange>): FileChange => ({
  event: 'created',
  fileId: 'file',
  parentId: 'here',
  oldParentId: null,
  ...more,
});

describe('what happens to files', () => {
  it('concerns the folder in which it happens, and the one that is left', () => {
    expect(concerns([change({})], ['here'])).toBe(true);
    expect(concerns([change({ event: 'moved', parentId: 'there', oldParentId: 'here' })], ['here'])).toBe(true);
    expect(concerns([change({ parentId: 'there' })], ['here'])).toBe(false);
  });

  it('concerns the folder to which it happens', () => {
    expect(concerns([change({ event: 'renamed', fileId: 'here', parentId: 'above' })], ['here'])).toBe(true);
  });

  it('concerns nobody who has no folder, where its folder may not be known', () => {
    expect(concerns([change({ parentId: null })], [])).toBe(false);
  });

  it('concerns everybody when some of it was missed', () => {
    expect(concerns([change({ event: 'reset', parentId: null })], ['here'])).toBe(true);
  });
});
