import { explain } from '$lib/api/explain';
import { asApiError } from '$lib/api/problem';
import { t } from '$lib/i18n';
import { toasts } from './toasts.svelte';

interface Step {
  /** The message that offers it; null if there is none. */
  toast: number | null;
  undo: () => Promise<void>;
}

/** Steps that can still be taken back, by the button in the message or by Ctrl-Z. */
const DEPTH = 20;
const steps: Step[] = [];
/** Acts that are shown already and not done yet. */
const running = new Set<Promise<unknown>>();

/** Says what was done, and offers to take it back. */
export function doneWithUndo(text: string, undo: () => Promise<void>): void {
  const step: Step = { toast: null, undo };
  step.toast = toasts.show(text, { action: { label: t('undo'), run: () => takeBack(step) } });
  keep(step);
}

/** Remembers what can be taken back by Ctrl-Z, where what was done can be seen and no message is needed. */
export function doneQuietly(undo: () => Promise<void>): void {
  keep({ toast: null, undo });
}

function keep(step: Step): void {
  steps.push(step);
  if (steps.length > DEPTH) steps.shift();
}

/** An act that can be undone, as one that an undo waits for: who is quick means what was seen to happen. */
export function undoable<A extends unknown[], R>(act: (...args: A) => Promise<R>): (...args: A) => Promise<R> {
  return (...args) => {
    const work = act(...args);
    running.add(work);
    const over = () => running.delete(work);
    work.then(over, over);
    return work;
  };
}

/** Takes back the last step, if there is one. */
export async function undoLast(): Promise<void> {
  await Promise.allSettled(running);
  const step = steps.at(-1);
  if (step) await takeBack(step);
  else toasts.show(t('undo.nothing'));
}

async function takeBack(step: Step): Promise<void> {
  const at = steps.indexOf(step);
  if (at < 0) return;
  steps.splice(at, 1);
  if (step.toast !== null) toasts.dismiss(step.toast);
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
