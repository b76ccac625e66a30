import { explain } from '$lib/api/explain';
import { asApiError } from '$lib/api/problem';
import { t } from '$lib/i18n';
import { session } from '$lib/state/session.svelte';
import { toasts } from '$lib/state/toasts.svelte';
import { whoActs } from '$lib/state/undo';
import type { Renaming } from './renaming.svelte';

/**
 * Saves what was typed; true when all is over. What `save` throws stands beside the field, or is told as a message where there
 * is no field any more.
 */
export async function commit(draft: Renaming, save: (name: string) => Promise<void>): Promise<boolean> {
  const { left, file, name } = draft;
  // Where nobody is signed in a field goes without anybody leaving it.
  if (draft.busy || draft.over || (left && session.state !== 'signedIn')) return false;
  const wanted = name.trim();
  // Spaces at the ends may belong to a name: one that nobody touched is not changed.
  const same = name === file.name || wanted === file.name || wanted === '';
  // What was refused already is not asked for with each click elsewhere: whoever leaves it so gives it up.
  draft.over = same || (left && wanted === draft.refused);
  if (draft.over) return true;
  const here = whoActs();
  draft.busy = true;
  draft.error = '';
  try {
    await save(wanted);
    draft.over = true;
  } catch (thrown) {
    const why = asApiError(thrown);
    draft.error = explain(why);
    // What passes by itself may be tried again by leaving.
    draft.refused = why.passing || why.status === 401 ? '' : wanted;
    if (draft.field && !draft.left) draft.field.focus();
    else if (!draft.field && here()) toasts.error(t('act.failed', { name: file.name, reason: draft.error }));
  } finally {
    draft.busy = false;
  }
  return draft.over;
}
