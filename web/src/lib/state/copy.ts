import { t } from '$lib/i18n';
import { toasts } from './toasts.svelte';

export async function copyText(text: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
    toasts.show(t('copied'));
  } catch {
    // Only secure origins have a clipboard; what is to be copied can be read and marked.
    toasts.show(text);
  }
}

/** Has the browser save a file that was made here. */
export function saveFile(name: string, content: Blob): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(content);
  link.download = name;
  link.click();
  // The browser has read it by then; there is no event that says so.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
