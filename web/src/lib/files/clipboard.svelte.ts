import type { File } from '$lib/api/types';
import { t } from '$lib/i18n';
import { announcer } from '$lib/state/announce.svelte';

/**
 * Files that were cut or copied, to be moved or copied to where they are pasted. The system's clipboard gets their names
 * meanwhile: if it holds something else by then, that was copied later and is what is meant.
 */
class Clipboard {
  files = $state.raw<File[]>([]);
  copying = $state(false);
  /** What the system's clipboard was given; null if it took nothing, so that it says nothing about what is meant. */
  #words: string | null = null;
  #cut = $derived(new Set(this.copying ? [] : this.files.map((file) => file.id)));

  put(files: File[], copying: boolean, words: string | null): void {
    this.files = files;
    this.copying = copying;
    this.#words = words;
    announcer.say(t(copying ? 'copied.done' : 'cut.done', { count: files.length, name: files[0]?.name ?? '' }));
  }

  isCut(id: string): boolean {
    return this.#cut.has(id);
  }

  clear(): void {
    if (this.files.length > 0) this.files = [];
  }

  /** What is to be pasted, if these words of the system's clipboard are still those of it. */
  take(words: string): Taken {
    return this.#words === null || words.replaceAll('\r\n', '\n') === this.#words ? this.takeAll() : nothing;
  }

  /** What is to be pasted. What was cut is so no more then; a copy can be pasted again. */
  takeAll(): Taken {
    const { files, copying } = this;
    if (!copying) this.files = [];
    return { files, copying };
  }
}

export interface Taken {
  files: File[];
  copying: boolean;
}

const nothing: Taken = { files: [], copying: false };

export const clipboard = new Clipboard();

/** What stands for files in the system's clipboard. */
export const namesOf = (files: readonly File[]): string => files.map((file) => file.name).join('\n');
