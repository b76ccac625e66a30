import type { File } from '$lib/api/types';
import { moveFiles } from '$lib/files/actions';
import { clipboard, namesOf } from '$lib/files/clipboard.svelte';
import { t } from '$lib/i18n';
import { announcer } from '$lib/state/announce.svelte';
import type { Target } from '$lib/upload/target';
import { current } from '$views/shell/current.svelte';

/**
 * Marks files as cut; they stay where they are until they are pasted elsewhere. `words` is what the system's clipboard
 * holds for them; without any it is asked to take their names.
 */
export async function cutFiles(files: File[], words?: string): Promise<void> {
  if (files.length === 0) return;
  const taken = words ?? (await offer(namesOf(files)));
  clipboard.cut(files, taken);
  announcer.say(t('cut.done', { count: files.length, name: files[0]?.name ?? '' }));
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

/** Moves what was cut into a folder; what lies in it already stays. */
export async function pasteFiles(files: File[], target: Target): Promise<void> {
  const moved = files.filter((file) => file.parentId !== target.id && file.id !== target.id);
  // A list that shows the files now would have to give them up at once; another one is told of the change.
  const listing = moved.some((file) => current.listing?.find(file.id)) ? current.listing : null;
  await moveFiles(listing, moved, target);
}
