import { t } from '$lib/i18n';
import { toasts } from './toasts.svelte';

/** Copies what can be read on the page as well; false if the browser does not allow it. */
export async function copyText(text: string): Promise<boolean> {
  const copied = await written(text);
  // Only secure origins have a clipboard; what is to be copied can be read and marked.
  toasts.show(copied ? t('copied') : text);
  return copied;
}

/** The same of a secret, which no message repeats. */
export async function copySecret(text: string): Promise<boolean> {
  const copied = await written(text);
  if (copied) toasts.show(t('copied'));
  else toasts.error(t('copy.failed'));
  return copied;
}

async function written(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
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
