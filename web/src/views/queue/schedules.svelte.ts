import { type ApiError, asApiError } from '$lib/api/problem';
import { changeSchedule, listSchedules, removeSchedule, runSchedule } from '$lib/api/queue';
import type { Schedule } from '$lib/api/types';
import { t } from '$lib/i18n';
import { dialogs } from '$lib/state/dialogs.svelte';
import { hrefs, router } from '$lib/state/router.svelte';
import { toasts } from '$lib/state/toasts.svelte';
import { type Actor, whoActs } from '$lib/state/undo';
import { explainFailure } from './actions';

class Schedules {
  items = $state.raw<Schedule[] | null>(null);
  error = $state.raw<ApiError | null>(null);

  async refresh(): Promise<void> {
    if (document.hidden) return;
    try {
      this.items = await listSchedules();
      this.error = null;
    } catch (thrown) {
      this.error = asApiError(thrown);
    }
  }

  /** Shows a schedule as it is now; a new one last, as the server lists them. */
  put(schedule: Schedule): void {
    const items = this.items ?? [];
    this.items = items.some(({ id }) => id === schedule.id)
      ? items.map((one) => (one.id === schedule.id ? schedule : one))
      : [...items, schedule];
  }

  async setPaused(schedule: Schedule, paused: boolean): Promise<void> {
    const here = whoActs();
    this.put({ ...schedule, paused });
    try {
      const now = await changeSchedule(schedule.id, { paused });
      if (!here()) return;
      this.put(now);
      const { name } = schedule;
      toasts.show(paused ? t('queue.schedules.paused.done', { name }) : t('queue.schedules.resumed.done', { name }));
    } catch (thrown) {
      if (here()) this.put(schedule);
      this.#failed(thrown, here);
    }
  }

  async run(schedule: Schedule): Promise<void> {
    const here = whoActs();
    try {
      const id = await runSchedule(schedule.id);
      if (!here()) return;
      toasts.show(t('queue.schedules.ran', { name: schedule.name }), {
        action: { label: t('queue.show'), run: () => router.go(hrefs.job(id)) },
      });
    } catch (thrown) {
      const { code, holder } = asApiError(thrown);
      if (code === 'key_taken' && here()) {
        toasts.error(
          t('queue.act.failed', { reason: t('queue.schedules.overlap') }),
          holder ? { label: t('queue.show'), run: () => router.go(hrefs.job(holder)) } : undefined,
        );
      } else this.#failed(thrown, here);
    }
  }

  async remove(schedule: Schedule): Promise<void> {
    const yes = await dialogs.confirm({
      title: t('queue.schedules.delete.title', { name: schedule.name }),
      text: t('queue.schedules.delete.text'),
      act: t('queue.act.delete'),
    });
    if (!yes) return;
    const here = whoActs();
    try {
      await removeSchedule(schedule.id);
    } catch (thrown) {
      if (asApiError(thrown).status !== 404) return this.#failed(thrown, here);
    }
    if (!here()) return;
    this.items = this.items?.filter(({ id }) => id !== schedule.id) ?? null;
    toasts.show(t('queue.schedules.deleted', { name: schedule.name }));
  }

  #failed(thrown: unknown, here: Actor): void {
    explainFailure(thrown, here);
    if (here()) this.refresh();
  }
}

export const schedules = new Schedules();
