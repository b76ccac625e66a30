import { explain } from '$lib/api/explain';
import { asApiError } from '$lib/api/problem';
import { t } from '$lib/i18n';
import { toasts } from './toasts.svelte';

interface Step {
  toast: number;
  undo: () => Promise<void>;
}

/** Steps that can still be taken back, by the button in the message or by Ctrl-Z. */
const DEPTH = 20;
const steps: Step[] = [];

/** Says what was done, and offers to take it back. */
export function doneWithUndo(text: string, undo: () => Promise<void>): void {
  const step: Step = { toast: 0, undo };
  step.toast = toasts.show(text, { action: { label: t('undo'), run: () => takeBack(step) } });
  steps.push(step);
  if (steps.length > DEPTH) steps.shift();
}

/** Takes back the last step, if there is one. */
export function undoLast(): void {
  const step = steps.at(-1);
  if (step) takeBack(step);
  else toasts.show(t('undo.nothing'));
}

async function takeBack(step: Step): Promise<void> {
  const at = steps.indexOf(step);
  if (at < 0) return;
  steps.splice(at, 1);
  toasts.dismiss(step.toast);
  try {
    await step.undo();
    toasts.show(t('undo.done'));
  } catch (thrown) {
    toasts.error(t('undo.failed', { reason: explain(asApiError(thrown)) }));
  }
}

export function forgetSteps(): void {
  steps.length = 0;
}
