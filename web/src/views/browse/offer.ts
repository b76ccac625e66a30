import { namesOf } from '$lib/files/clipboard.svelte';
import type { SelectionState } from '$lib/listing/selected.svelte';
import { dialogs } from '$lib/state/dialogs.svelte';
import { current } from '$views/shell/current.svelte';

/**
 * Gives the system's clipboard the names of what is selected, and keeps that for pasting. The browser says `cut` and `copy` for
 * the keys as well as for its own menu; words that are selected are not ours.
 */
export function offerNames(
  event: ClipboardEvent,
  selection: SelectionState,
  keep: ((words: string) => void) | undefined,
): void {
  const field = event.target instanceof Element && event.target.matches('input, textarea');
  if (field || !keep || selection.empty || dialogs.request || current.seen) return;
  if (getSelection()?.toString()) return;
  event.preventDefault();
  const words = namesOf(selection.files);
  event.clipboardData?.setData('text/plain', words);
  keep(words);
}
