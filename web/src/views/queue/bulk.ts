import { explain } from '$lib/api/explain';
import { asApiError } from '$lib/api/problem';
import { pauseJobs, resumeJobs, retryDead } from '$lib/api/queue';
import { t } from '$lib/i18n';
import { dialogs } from '$lib/state/dialogs.svelte';
import { toasts } from '$lib/state/toasts.svelte';
import { whoActs } from '$lib/state/undo';
import { explainFailure } from './actions';
import { queue } from './queue.svelte';

/** Asks, and has the failed jobs of a type (null: of all) tried again; as many requests as it takes. */
export async function retryAllDead(type: string | null, count: number): Promise<void> {
  const yes = await dialogs.confirm({
    title: t('queue.dead.ask.title', { count }),
    text: t('queue.dead.ask.text'),
    act: t('queue.act.retry'),
    tone: 'plain',
  });
  if (!yes) return;
  const here = whoActs();
  const toast = toasts.show(t('queue.dead.retrying', { done: 0 }), { tone: 'busy' });
  let [done, left] = [0, 0];
  let cursor: string | null = null;
  try {
    do {
      const step = await retryDead(type, cursor);
      done += step.retried;
      left += step.left;
      cursor = step.nextCursor;
      toasts.update(toast, { text: t('queue.dead.retrying', { done }) });
    } while (cursor !== null && here());
    const text = left > 0 ? t('queue.dead.left', { done, count: left }) : t('queue.dead.done', { count: done });
    toasts.update(toast, { text, tone: 'plain' });
  } catch (thrown) {
    toasts.update(toast, {
      text: t('queue.dead.partly', { done, reason: explain(asApiError(thrown)) }),
      tone: 'error',
    });
  }
  if (here()) queue.refresh();
}

/** Has a type wait or go on, or all of them (null). */
export async function setPaused(type: string | null, paused: boolean): Promise<void> {
  const show = (to: boolean) => {
    if (type === null) queue.paused = to;
    else queue.patchType(type, { paused: to });
  };
  const here = whoActs();
  show(paused);
  try {
    await (paused ? pauseJobs(type) : resumeJobs(type));
    if (!here()) return;
    if (type === null) toasts.show(paused ? t('queue.pausedAll.done') : t('queue.resumedAll.done'));
    else toasts.show(paused ? t('queue.paused.one', { type }) : t('queue.resumed.one', { type }));
  } catch (thrown) {
    if (!here()) return;
    show(!paused);
    explainFailure(thrown, here);
  }
  queue.refresh();
}
