import { SvelteMap } from 'svelte/reactivity';
import type { FileHandle } from './handles';

const unfinished = () => import('./unfinished');
type Found = Awaited<ReturnType<Awaited<ReturnType<typeof unfinished>>['recall']>>;

/** The files of uploads that lost them when a page was closed, by the number of the upload. */
export class Again {
  /** Of which version of its file an unfinished upload was begun, where this browser did. */
  #modified = new Map<number, number>();
  /** By which the browser finds a file again, where it can. */
  #handles = new SvelteMap<number, FileHandle>();
  /** Those that another device has begun. */
  #foreign = new Set<number>();
  #dropped = new Map<number, Promise<FileHandle | null>>();

  dropped(id: number, handle: Promise<FileHandle | null>): void {
    this.#dropped.set(id, handle);
  }

  note(id: number, handle: FileHandle | undefined, lastModified: number | undefined): void {
    if (handle) this.#handles.set(id, handle);
    if (lastModified !== undefined) this.#modified.set(id, lastModified);
    else this.#foreign.add(id);
  }

  /** Whether the browser knows where the file of an unfinished upload is. */
  knows(id: number): boolean {
    return this.#handles.has(id);
  }

  /** Whether another device has begun an unfinished upload, and may be sending it still. */
  isForeign(id: number): boolean {
    return this.#foreign.has(id);
  }

  /** Whether an upload was begun of this version of a file. */
  isOf(id: number, file: globalThis.File): boolean {
    return this.#modified.get(id) === file.lastModified;
  }

  /** The file of an unfinished upload; with `ask` the browser may ask the reader first. Null if it cannot be had. */
  async find(id: number, ask: boolean): Promise<globalThis.File | null> {
    const handle = this.#handles.get(id);
    if (!handle) return null;
    const { fileOf } = await import('./handles');
    const file = await fileOf(handle, ask);
    // What cannot be found this way is asked for the next time.
    if (ask) this.#handles.delete(id);
    return file;
  }

  /** Loads what {@link remember} needs. */
  async ready(): Promise<void> {
    await unfinished();
  }

  /** Keeps what is needed to go on with an upload after the page was closed. */
  async remember(id: number, uploadId: string, body: globalThis.File): Promise<void> {
    const { remember } = await unfinished();
    await remember(uploadId, body.lastModified, this.#dropped.get(id));
  }

  /** What somebody left behind, but for those that `mine` names. */
  async recall(user: string, mine: () => string[]): Promise<Found> {
    const { recall } = await unfinished();
    return recall(user, mine);
  }
}

/** Whether a file is still there as it was when it was chosen. */
export async function readable(body: Blob | undefined): Promise<boolean> {
  try {
    await body?.slice(0, 1).arrayBuffer();
    return true;
  } catch {
    return false;
  }
}
