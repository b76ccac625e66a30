import type { File } from '$lib/api/types';
import { moveFiles } from '$lib/files/actions';
import { clipboard, namesOf, type Taken } from '$lib/files/clipboard.svelte';
import { copyFiles } from '$lib/files/copy';
import type { Target } from '$lib/upload/target';
import { current } from '$views/shell/current.svelte';

/**
 * Keeps files to be moved or copied to where they are pasted; until then they stay as they are. `words` is what the
 * system's clipboard holds for them; without any it is asked to take their names.
 */
export async function keepFiles(files: File[], copying: boolean, words?: string): Promise<void> {
  if (files.length === 0) return;
  const taken = words ?? (await offer(namesOf(files)));
  clipboard.put(files, copying, taken);
}

/** Writes into the system's clipboard, which a browser allows on secure origins only; null if it did not. */
async function offer(words: string): Promise<string | null> {
  try {
    await navigator.clipboard.writeText(words);
    return words;
  } catch {
    return null;
  }
}

/** Copies what was copied, and moves what was cut, into a folder; what was cut and lies in it already stays. */
export async function pasteFiles({ files, copying }: Taken, target: Target): Promise<void> {
  if (copying) return copyFiles(files, target);
  const moved = files.filter((file) => file.parentId !== target.id && file.id !== target.id);
  // A list that shows the files now would have to give them up at once; another one is told of the change.
  const listing = moved.some((file) => current.listing?.find(file.id)) ? current.listing : null;
  await moveFiles(listing, moved, target);
}
