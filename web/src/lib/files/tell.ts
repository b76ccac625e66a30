import { explain } from '$lib/api/explain';
import type { File } from '$lib/api/types';
import { t } from '$lib/i18n';
import { dialogs } from '$lib/state/dialogs.svelte';
import { toasts } from '$lib/state/toasts.svelte';
import { doneWithUndo, type Partly, type Undo } from '$lib/state/undo';
import type { Back, Failure, Outcome } from './batch';

/** Names that fit into a message. */
const NAMED = 3;

export const named = (files: File[]) => ({ count: files.length, name: files[0]?.name ?? '' });

/** Says what was done, how to take it back, and with which files it was not done. */
export function tell(outcome: Outcome, text: (files: File[]) => string, undo?: Undo): void {
  if (!outcome.here()) return;
  if (outcome.done.length > 0) {
    if (undo) doneWithUndo(text(outcome.done), undo, outcome.here);
    else toasts.show(text(outcome.done));
  }
  tellFailed(outcome.failed);
}

export function tellFailed(failed: Failure[]): void {
  const [first] = failed;
  if (!first) return;
  if (failed.length === 1) {
    toasts.error(t('act.failed', { name: first.file.name, reason: explain(first.error) }));
    return;
  }
  const names = failed
    .slice(0, NAMED)
    .map(({ file }) => t('act.failed.name', { name: file.name }))
    .join(', ');
  const text = t(failed.length > NAMED ? 'act.failed.more' : 'act.failed.these', { count: failed.length, names });
  toasts.error(text, { label: t('act.failed.show'), run: () => dialogs.open({ kind: 'failed', failed }) });
}

/** Tells what could not be taken back, if there is something; `again` takes back what is left, where that may work later. */
export function tellBack(
  { count, failed, left }: Back,
  again: (left: Outcome) => ReturnType<Undo>,
): Partly | undefined {
  if (failed.length === 0) return undefined;
  tellFailed(failed);
  return {
    text: t('undo.partly', { done: count - failed.length, count }),
    again: left && (() => again(left)),
  };
}
