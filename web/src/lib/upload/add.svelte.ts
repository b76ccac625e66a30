import { t } from '$lib/i18n';
import { language } from '$lib/i18n/language.svelte';
import { toasts } from '$lib/state/toasts.svelte';
import { whoActs } from '$lib/state/undo';
import { fromInput, fromTransfer, type Harvest } from './entries';
import { type Reader, Reading } from './reading.svelte';
import type { Target } from './target';

/** Grows when something is to be uploaded, so that what shows uploads is fetched if it was not to be had before. */
class Wanted {
  times = $state(0);
}

export const wanted = new Wanted();

/** What was dropped to be uploaded, and is being read. */
export const reading = new Reading();

/** Uploads what was dropped. Called while the event lasts, since what it brings is gone afterwards. */
export function uploadDropped(transfer: DataTransfer, target: Target): Promise<void> {
  // That nothing may be put there is said before all of it is read.
  if (target.closed) return upload(fromInput([]), target);
  const here = whoActs();
  const reader = reading.begin();
  // Folders may take long to be read: what one user has dropped does not go to the next, whose place has the same name.
  const found = () => (here() ? reader.found() : reader.end());
  return upload(fromTransfer(transfer, { signal: reader.signal, found }), target, reader);
}

/** Uploads into a folder. What does it comes after the first sight of the page, and is waited for. */
export async function upload(
  harvest: Harvest | Promise<Harvest>,
  target: Target,
  reader: Reader | null = null,
): Promise<void> {
  wanted.times += 1;
  const here = whoActs();
  try {
    const [{ uploads }, found] = await Promise.all([import('./uploads.svelte'), harvest, language.need('tray')]);
    if (here() && !reader?.signal.aborted) uploads.add(found, target);
  } catch {
    if (!reader?.signal.aborted) toasts.error(`${t('lazy.title')}. ${t('lazy.text')}`);
  } finally {
    reader?.end();
  }
}
