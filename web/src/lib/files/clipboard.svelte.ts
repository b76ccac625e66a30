import type { File } from '$lib/api/types';

/**
 * Files that were cut, to be moved where they are pasted. The system's clipboard gets their names meanwhile: if it holds
 * something else by then, that was copied later and is what is meant.
 */
class Clipboard {
  files = $state.raw<File[]>([]);
  /** What the system's clipboard was given; null if it took nothing, so that it says nothing about what is meant. */
  #words: string | null = null;
  #ids = $derived(new Set(this.files.map((file) => file.id)));

  cut(files: File[], words: string | null): void {
    this.files = files;
    this.#words = words;
  }

  has(id: string): boolean {
    return this.#ids.has(id);
  }

  clear(): void {
    if (this.files.length > 0) this.files = [];
  }

  /** The files cut, if these words of the system's clipboard are still theirs; they are not cut any more then. */
  take(words: string): File[] {
    return this.#words === null || words.replaceAll('\r\n', '\n') === this.#words ? this.takeAll() : [];
  }

  takeAll(): File[] {
    const { files } = this;
    this.files = [];
    return files;
  }
}

export const clipboard = new Clipboard();

/** What stands for files in the system's clipboard. */
export const namesOf = (files: readonly File[]): string => files.map((file) => file.name).join('\n');
