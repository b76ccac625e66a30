import Ban from '@lucide/svelte/icons/ban';
import Copy from '@lucide/svelte/icons/copy';
import Flag from '@lucide/svelte/icons/flag';
import Play from '@lucide/svelte/icons/play';
import RotateCcw from '@lucide/svelte/icons/rotate-ccw';
import Trash from '@lucide/svelte/icons/trash-2';
import { explain } from '$lib/api/explain';
import { asApiError } from '$lib/api/problem';
import { cancelJob, getJob, promoteJob, removeJob, retryJob, setPriority } from '$lib/api/queue';
import type { Job, JobState } from '$lib/api/types';
import { t } from '$lib/i18n';
import { copyText } from '$lib/state/copy';
import { dialogs } from '$lib/state/dialogs.svelte';
import { type MenuEntry, menu } from '$lib/state/menu.svelte';
import { hrefs, router } from '$lib/state/router.svelte';
import { toasts } from '$lib/state/toasts.svelte';
import { type Actor, doneWithUndo, whoActs } from '$lib/state/undo';
import { formatPriority, PRIORITIES, type PriorityName } from './format';
import { forms } from './forms.svelte';
import { queue } from './queue.svelte';

const over: readonly JobState[] = ['failed', 'cancelled'];
const live: readonly JobState[] = ['inactive', 'delayed', 'active'];

export const can = {
  retry: (job: Job) => over.includes(job.state),
  promote: (job: Job) => job.state === 'delayed',
  cancel: (job: Job) => live.includes(job.state),
  priority: (job: Job) => job.state === 'inactive' || job.state === 'delayed',
};

/** Says why something was not done, if who did it is still here; the way to what stands in its way, where that is a job. */
export function explainFailure(thrown: unknown, here: Actor): void {
  if (!here()) return;
  const error = asApiError(thrown);
  const { holder } = error;
  toasts.error(
    t('queue.act.failed', { reason: explain(error) }),
    holder ? { label: t('queue.show'), run: () => router.go(hrefs.job(holder)) } : undefined,
  );
}

/** Shows a change at once, and what became of it when the answer is here. Whether it was done, and who did it is still here. */
async function change(job: Job, guess: Partial<Job>, run: () => Promise<Job>): Promise<boolean> {
  const here = whoActs();
  queue.tell(job.id, { ...job, ...guess });
  try {
    const now = await run();
    if (!here()) return false;
    queue.tell(job.id, now);
    return true;
  } catch (thrown) {
    if (!here()) return false;
    queue.tell(job.id, job);
    explainFailure(thrown, here);
    const { status } = asApiError(thrown);
    // Somebody else was quicker: how it is now is what explains it.
    if (status === 409) {
      const now = await getJob(job.id).catch(() => null);
      if (now) queue.tell(job.id, now);
    } else if (status === 404) queue.tell(job.id, null);
    return false;
  }
}

export async function retry(job: Job): Promise<void> {
  if (await change(job, { state: 'inactive', error: null, progress: 0 }, () => retryJob(job.id)))
    toasts.show(t('queue.done.retry', { type: job.type }));
}

export async function promote(job: Job): Promise<void> {
  if (await change(job, { state: 'inactive', promoteAt: null }, () => promoteJob(job.id)))
    toasts.show(t('queue.done.promote', { type: job.type }));
}

export async function cancel(job: Job): Promise<void> {
  const here = whoActs();
  if (job.state === 'active') {
    const yes = await dialogs.confirm({
      title: t('queue.cancel.title'),
      text: t('queue.cancel.text'),
      act: t('queue.act.cancel'),
    });
    if (!yes) return;
  }
  if (!(await change(job, { state: 'cancelled' }, () => cancelJob(job.id)))) return;
  const text = t('queue.done.cancel', { type: job.type });
  if (job.state === 'active') toasts.show(text);
  else doneWithUndo(text, async () => queue.tell(job.id, await retryJob(job.id)), here);
}

/** Asks, and deletes. Whether it is gone. */
export async function remove(job: Job): Promise<boolean> {
  const force = job.state === 'active';
  const yes = await dialogs.confirm({
    title: force ? t('queue.delete.force.title') : t('queue.delete.title'),
    text: force ? t('queue.delete.force.text') : t('queue.delete.text'),
    act: force ? t('queue.delete.force.act') : t('queue.act.delete'),
  });
  if (!yes) return false;
  const here = whoActs();
  try {
    await removeJob(job.id, force);
  } catch (thrown) {
    if (!here()) return false;
    if (asApiError(thrown).status !== 404) {
      explainFailure(thrown, here);
      const now = await getJob(job.id).catch(() => null);
      if (now) queue.tell(job.id, now);
      return false;
    }
  }
  if (!here()) return false;
  queue.tell(job.id, null);
  toasts.show(t('queue.done.delete', { type: job.type }));
  return true;
}

export async function prioritise(job: Job, priority: number): Promise<void> {
  if (priority === job.priority) return;
  const here = whoActs();
  if (!(await change(job, { priority }, () => setPriority(job.id, priority)))) return;
  const text = t('queue.done.priority', { priority: formatPriority(priority) });
  doneWithUndo(text, async () => queue.tell(job.id, await setPriority(job.id, job.priority)), here);
}

export { copyText };

export function openPriorityMenu(job: Job, at: Element): void {
  menu.open(at, t('queue.act.priority'), priorityEntries(job));
}

function priorityEntries(job: Job): MenuEntry[] {
  const names = Object.keys(PRIORITIES) as PriorityName[];
  return [
    { heading: t('queue.act.priority') },
    ...names.map((name) => ({
      label: t('queue.priority.named', { name: t(`queue.priority.${name}`), number: PRIORITIES[name] }),
      checked: job.priority === PRIORITIES[name],
      run: () => prioritise(job, PRIORITIES[name]),
    })),
    { label: t('queue.act.priority.other'), run: () => forms.open({ kind: 'priority', job }) },
  ];
}

/** What can be done with a job, as a menu. */
export function openJobMenu(job: Job, at: Element, options: { inList: boolean }): void {
  menu.open(at, t('queue.more', { name: job.type }), [
    ...(can.retry(job) ? [{ label: t('queue.act.retry'), icon: RotateCcw, keys: 'R', run: () => retry(job) }] : []),
    ...(can.promote(job) ? [{ label: t('queue.act.promote'), icon: Play, run: () => promote(job) }] : []),
    ...(can.cancel(job) ? [{ label: t('queue.act.cancel'), icon: Ban, run: () => cancel(job) }] : []),
    ...(can.priority(job)
      ? [
          {
            label: t('queue.act.priority'),
            icon: Flag,
            // The menu that this one makes room for.
            run: () => queueMicrotask(() => openPriorityMenu(job, at)),
          },
        ]
      : []),
    { label: t('queue.act.copyId'), icon: Copy, run: () => copyText(job.id) },
    'line',
    {
      label: t('queue.act.delete'),
      icon: Trash,
      keys: 'Del',
      tone: 'danger',
      run: async () => {
        if ((await remove(job)) && !options.inList) router.go(hrefs.queue('list'), { replace: true });
      },
    },
  ]);
}
