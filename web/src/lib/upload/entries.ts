import type { FileHandle } from './handles';
import type { Follower } from './reading.svelte';

/** A file that was dropped, picked or pasted, with the folders it lay in. */
export interface Found {
  file: globalThis.File;
  /** Folders above it as `a/b`, `''` if there are none. */
  path: string;
  /** By which the browser finds it again after a reload, where it can. */
  handle?: Promise<FileHandle | null>;
}

export interface Harvest {
  files: Found[];
  /** Folders that hold nothing, which would be lost otherwise. */
  emptyFolders: string[];
  /** Names of what the system did not let us read. */
  unreadable: string[];
}

const join = (path: string, name: string) => (path ? `${path}/${name}` : name);

/** What an `<input type="file">` chose, a folder's files with their folders. */
export function fromInput(files: Iterable<globalThis.File>): Harvest {
  const found = [...files].map((file) => ({ file, path: file.webkitRelativePath.split('/').slice(0, -1).join('/') }));
  return { files: found, emptyFolders: [], unreadable: [] };
}

/**
 * All that was dropped, folders to their depth. The list of a drop is gone after the event, so its entries are taken
 * before anything is awaited.
 *
 * @throws DOMException `AbortError` once it is wanted no more
 */
export async function fromTransfer(transfer: DataTransfer, follower: Follower): Promise<Harvest> {
  const entries: { entry: FileSystemEntry; handle: Promise<FileHandle | null> | undefined }[] = [];
  const plain: globalThis.File[] = [];
  for (const item of transfer.items) {
    if (item.kind !== 'file') continue;
    const entry = item.webkitGetAsEntry?.();
    if (entry) {
      entries.push({ entry, handle: entry.isFile ? handleOf(item) : undefined });
    } else {
      const file = item.getAsFile();
      if (file) plain.push(file);
    }
  }
  const harvest: Harvest = { files: plain.map((file) => ({ file, path: '' })), emptyFolders: [], unreadable: [] };
  for (const _ of plain) follower.found();
  for (const { entry, handle } of entries) await walk(entry, '', harvest, follower, handle);
  follower.signal.throwIfAborted();
  return harvest;
}

/** Not every browser gives handles, and none gives them of what a page made itself. */
function handleOf(item: DataTransferItem): Promise<FileHandle | null> | undefined {
  const { getAsFileSystemHandle } = item as { getAsFileSystemHandle?: () => Promise<FileHandle | null> };
  return getAsFileSystemHandle?.call(item).catch(() => null);
}

async function walk(
  entry: FileSystemEntry,
  path: string,
  harvest: Harvest,
  follower: Follower,
  handle?: Promise<FileHandle | null>,
): Promise<void> {
  if (follower.signal.aborted) return;
  try {
    if (entry.isFile) {
      const file = await new Promise<globalThis.File>((resolve, reject) =>
        (entry as FileSystemFileEntry).file(resolve, reject),
      );
      harvest.files.push({ file, path, ...(handle ? { handle } : {}) });
      follower.found();
      return;
    }
    const inside = join(path, entry.name);
    const children = await readAll((entry as FileSystemDirectoryEntry).createReader());
    if (children.length === 0) harvest.emptyFolders.push(inside);
    for (const child of children) await walk(child, inside, harvest, follower);
  } catch {
    harvest.unreadable.push(join(path, entry.name));
  }
}

/** A reader gives a part at a time, and an empty one at the end. */
async function readAll(reader: FileSystemDirectoryReader): Promise<FileSystemEntry[]> {
  const all: FileSystemEntry[] = [];
  for (;;) {
    const part = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (part.length === 0) return all;
    all.push(...part);
  }
}
