import { type ApiError, asApiError } from '$lib/api/problem';
import { changeSchedule, listSchedules, removeSchedule, runSchedule } from '$lib/api/queue';
import type { Schedule } from '$lib/api/types';
import { t } from '$lib/i18n';
import { dialogs } from '$lib/state/dialogs.svelte';
import { hrefs, router } from '$lib/state/router.svelte';
import { toasts } from '$lib/state/toasts.svelte';
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
    this.put({ ...schedule, paused });
    try {
      this.put(await changeSchedule(schedule.id, { paused }));
      const { name } = schedule;
      toasts.show(paused ? t('queue.schedules.paused.done', { name }) : t('queue.schedules.resumed.done', { name }));
    } catch (thrown) {
      this.put(schedule);
      this.#failed(thrown);
    }
  }

  async run(schedule: Schedule): Promise<void> {
    try {
      const id = await runSchedule(schedule.id);
      toasts.show(t('queue.schedules.ran', { name: schedule.name }), {
        action: { label: t('queue.show'), run: () => router.go(hrefs.job(id)) },
      });
    } catch (thrown) {
      const { code, holder } = asApiError(thrown);
      if (code === 'key_taken') {
        toasts.error(
          t('queue.act.failed', { reason: t('queue.schedules.overlap') }),
          holder ? { label: t('queue.show'), run: () => router.go(hrefs.job(holder)) } : undefined,
        );
      } else this.#failed(thrown);
    }
  }

  async remove(schedule: Schedule): Promise<void> {
    const yes = await dialogs.confirm({
      title: t('queue.schedules.delete.title', { name: schedule.name }),
      text: t('queue.schedules.delete.text'),
      act: t('queue.act.delete'),
    });
    if (!yes) return;
    try {
      await removeSchedule(schedule.id);
    } catch (thrown) {
      if (asApiError(thrown).status !== 404) return this.#failed(thrown);
    }
    this.items = this.items?.filter(({ id }) => id !== schedule.id) ?? null;
    toasts.show(t('queue.schedules.deleted', { name: schedule.name }));
  }

  #failed(thrown: unknown): void {
    explainFailure(thrown);
    this.refresh();
  }
}

export const schedules = new Schedules();
