import { type ApiError, asApiError } from '$lib/api/problem';
import type { File } from '$lib/api/types';
import { t } from '$lib/i18n';
import { toasts } from '$lib/state/toasts.svelte';

export interface Outcome {
  done: File[];
  failed: { file: File; error: ApiError }[];
}

const PARALLEL = 4;
/** From here on it is worth saying how far one is. */
const SHOW_PROGRESS = 25;

/** Does something with each file, a few at a time; shows how far it is, and can be stopped, if they are many. */
export async function forEachOf(files: File[], label: string, act: (file: File) => Promise<unknown>): Promise<Outcome> {
  const outcome: Outcome = { done: [], failed: [] };
  let next = 0;
  let stopped = false;
  const many = files.length >= SHOW_PROGRESS;
  const stop = { label: t('stop'), run: () => (stopped = true) };
  const toast = many ? toasts.show(label, { tone: 'busy', action: stop }) : null;

  const worker = async () => {
    for (let file = files[next++]; file && !stopped; file = files[next++]) {
      try {
        await act(file);
        outcome.done.push(file);
      } catch (thrown) {
        outcome.failed.push({ file, error: asApiError(thrown) });
        // Nothing answers any more, or the session is over: the rest would fail in the same way.
        if (outcome.failed.at(-1)?.error.status === 401 || outcome.failed.at(-1)?.error.cause === 'offline')
          stopped = true;
      }
      if (toast !== null && (outcome.done.length + outcome.failed.length) % 10 === 0) {
        toasts.update(toast, { text: t('act.progress', { label, done: outcome.done.length, total: files.length }) });
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(PARALLEL, files.length) }, worker));
  if (toast !== null) toasts.dismiss(toast);
  return outcome;
}
