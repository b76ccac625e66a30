import { describe, expect, it } from 'vitest';
import { fromTransfer } from './entries';

type Tree = { [name: string]: Tree | string | null };

/** A file system as browsers hand it over: two entries of a folder at a time; null is a folder that cannot be read. */
function entryOf(name: string, what: Tree | string | null): FileSystemEntry {
  if (typeof what === 'string') {
    const file = (done: (file: File) => void) => done(new File([what], name));
    return { isFile: true, name, file } as unknown as FileSystemEntry;
  }
  const left = Object.entries(what ?? {}).map(([name, inside]) => entryOf(name, inside));
  const readEntries = (done: (some: FileSystemEntry[]) => void, fail: (error: Error) => void) =>
    what ? done(left.splice(0, 2)) : fail(new Error('may not be read'));
  return { isFile: false, name, createReader: () => ({ readEntries }) } as unknown as FileSystemEntry;
}

const transferOf = (tree: Tree): DataTransfer =>
  ({
    items: Object.entries(tree).map(([name, what]) => ({
      kind: 'file',
      webkitGetAsEntry: () => entryOf(name, what),
    })),
  }) as unknown as DataTransfer;

const TREE: Tree = {
  'top.txt': 'x',
  folder: { 'a.txt': 'x', 'b.txt': 'x', 'c.txt': 'x', deeper: { 'd.txt': 'x' }, hollow: {}, closed: null },
};

describe('what was dropped', () => {
  it('is read to its depth, and each file is told', async () => {
    let told = 0;
    const follower = { signal: new AbortController().signal, found: () => (told += 1) };
    const { files, emptyFolders, unreadable } = await fromTransfer(transferOf(TREE), follower);
    expect(files.map(({ file, path }) => `${path}/${file.name}`)).toEqual([
      '/top.txt',
      'folder/a.txt',
      'folder/b.txt',
      'folder/c.txt',
      'folder/deeper/d.txt',
    ]);
    expect([told, emptyFolders, unreadable]).toEqual([5, ['folder/hollow'], ['folder/closed']]);
  });

  it('is read no further once it is called off', async () => {
    const flight = new AbortController();
    let told = 0;
    const found = () => {
      told += 1;
      if (told === 2) flight.abort();
    };
    await expect(fromTransfer(transferOf(TREE), { signal: flight.signal, found })).rejects.toThrow();
    expect(told).toBe(2);
  });
});
