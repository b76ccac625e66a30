import { explain } from '$lib/api/explain';
import { asApiError } from '$lib/api/problem';
import { t } from '$lib/i18n';
import { toasts } from './toasts.svelte';

/** Takes back what was done; gives what came of it if that is less than all. */
export type Undo = () => Promise<Partly | undefined> | Promise<void>;

/** Some of it could not be taken back; with which files, and why, has been said. */
export interface Partly {
  /** How much is as before. */
  text: string;
  /** Takes back what is left; null if that cannot work. */
  again: Undo | null;
}

interface Step {
  /** The message that offers it; null if there is none. */
  toast: number | null;
  undo: Undo;
}

/** Steps that can still be taken back, by the button in the message or by Ctrl-Z. */
const DEPTH = 20;
const steps: Step[] = [];
/** Acts that are shown already and not done yet. */
const running = new Set<Promise<unknown>>();

/** Whether who began an act is still here. */
export type Actor = () => boolean;

/** Grows when somebody leaves. */
let turn = 0;

/** To be asked before an act begins: what ends after its actor has left is nothing of whoever is here then. */
export function whoActs(): Actor {
  const begun = turn;
  return () => turn === begun;
}

/** Says what was done, and offers to take it back; nothing if who did it has left. */
export function doneWithUndo(text: string, undo: Undo, here: Actor): void {
  if (!here()) return;
  const step: Step = { toast: null, undo };
  step.toast = toasts.show(text, { action: { label: t('undo'), run: () => takeBack(step) } });
  keep(step);
}

/** Remembers what can be taken back by Ctrl-Z, where what was done can be seen and no message is needed. */
export function doneQuietly(undo: Undo, here: Actor): void {
  if (here()) keep({ toast: null, undo });
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

/** So long nobody wonders why nothing happens. */
const SOON_MS = 700;
/** The message that an undo waits for what runs. */
let waits: number | null = null;

/** Takes back the last step, if there is one. */
export async function undoLast(): Promise<void> {
  // It was heard: who presses the keys again while something long runs does not mean another step.
  if (waits !== null) return;
  const here = whoActs();
  const slow = setTimeout(() => {
    if (here()) waits ??= toasts.show(t('undo.waits'), { tone: 'busy' });
  }, SOON_MS);
  while (here() && running.size > 0) await Promise.allSettled(running);
  clearTimeout(slow);
  if (!here()) return;
  if (waits !== null) toasts.dismiss(waits);
  waits = null;
  const step = steps.at(-1);
  if (step) await takeBack(step);
  else toasts.show(t('undo.nothing'));
}

const takeBack = undoable(async (step: Step): Promise<void> => {
  const here = whoActs();
  const at = steps.indexOf(step);
  if (at < 0) return;
  steps.splice(at, 1);
  if (step.toast !== null) toasts.dismiss(step.toast);
  try {
    const partly = await step.undo();
    if (!here()) return;
    if (!partly) toasts.show(t('undo.done'));
    else if (partly.again) offerAgain(at, partly.text, partly.again);
    else toasts.show(partly.text);
  } catch (thrown) {
    if (!here()) return;
    const error = asApiError(thrown);
    const text = t('undo.failed', { reason: explain(error) });
    if (error.passing) offerAgain(at, text, step.undo);
    else toasts.error(text);
  }
});

/** The step stays the one that it was, so that it can be tried again. */
function offerAgain(at: number, text: string, undo: Undo): void {
  const step: Step = { toast: null, undo };
  step.toast = toasts.error(text, { label: t('retry'), run: () => takeBack(step) });
  steps.splice(at, 0, step);
}

/** Begins anew for whoever comes next. */
export function forgetSteps(): void {
  turn += 1;
  steps.length = 0;
  running.clear();
  if (waits !== null) toasts.dismiss(waits);
  waits = null;
}
