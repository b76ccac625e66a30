import { t } from '$lib/i18n';
import { language } from '$lib/i18n/language.svelte';
import { toasts } from '$lib/state/toasts.svelte';
import { whoActs } from '$lib/state/undo';
import type { Harvest } from './entries';
import type { Target } from './target';

/** Grows when something is to be uploaded, so that what shows uploads is fetched if it was not to be had before. */
class Wanted {
  times = $state(0);
}

export const wanted = new Wanted();

/** Uploads into a folder. What does it comes after the first sight of the page, and is waited for. */
export async function upload(harvest: Harvest | Promise<Harvest>, target: Target): Promise<void> {
  wanted.times += 1;
  const here = whoActs();
  try {
    const [{ uploads }, found] = await Promise.all([import('./uploads.svelte'), harvest, language.need('tray')]);
    // Folders may take long to be read: what one user has dropped does not go to the next, whose place has the same name.
    if (here()) uploads.add(found, target);
  } catch {
    toasts.error(`${t('lazy.title')}. ${t('lazy.text')}`);
  }
}
