import { changeFiles, undoOperation } from '$lib/api/files';
import { ApiError, asApiError } from '$lib/api/problem';
import type { Change, ChangeResult, File, Operation } from '$lib/api/types';
import { t } from '$lib/i18n';
import { toasts } from '$lib/state/toasts.svelte';

export interface Failure {
  file: File;
  error: ApiError;
}

export interface Outcome {
  /** Those with which it was done, as they were before. */
  done: File[];
  /** Files and folders as they are now, as far as the answers say. */
  now: File[];
  failed: Failure[];
  /** What goes on after the answer: copies of folders. */
  operations: Operation[];
  /** Ids by which the product takes back what was done, where it keeps a note of it. */
  notes: string[];
}

/** Changes that go in one request: few enough that one sees how far it is, and can stop. */
const AT_ONCE = 100;

/** Makes one change of each file; shows how far it is, and can be stopped, if they are many. */
export async function changeAll(files: File[], label: string, change: (file: File) => Change): Promise<Outcome> {
  const outcome: Outcome = { done: [], now: [], failed: [], operations: [], notes: [] };
  let stopped = false;
  const stop = { label: t('stop'), run: () => (stopped = true) };
  const toast = files.length > AT_ONCE ? toasts.show(label, { tone: 'busy', action: stop }) : null;

  for (let at = 0; at < files.length && !stopped; at += AT_ONCE) {
    const some = files.slice(at, at + AT_ONCE);
    try {
      const { results, operation } = await changeFiles(some.map(change));
      if (operation) outcome.notes.push(operation);
      some.forEach((file, index) => {
        note(outcome, file, results[index]);
      });
    } catch (thrown) {
      const error = asApiError(thrown);
      // Nothing answers any more, or nothing is allowed any more: the rest would fail in the same way.
      for (const file of files.slice(at)) outcome.failed.push({ file, error });
      stopped = true;
    }
    const done = Math.min(at + AT_ONCE, files.length);
    if (toast !== null) toasts.update(toast, { text: t('act.progress', { label, done, total: files.length }) });
  }
  if (toast !== null) toasts.dismiss(toast);
  return outcome;
}

/**
 * Takes back what was done: by the product's own notes, which know what has happened to each file since; where it keeps none,
 * by the opposite change.
 */
export async function takeBack(
  outcome: Outcome,
  label: string,
  opposite: (file: File) => Change,
): Promise<Pick<Outcome, 'now' | 'failed'>> {
  if (outcome.notes.length === 0) return changeAll(outcome.done, label, opposite);
  const now: File[] = [];
  for (const id of outcome.notes.toReversed()) now.push(...(await undoOperation(id)));
  return { now, failed: [] };
}

function note(outcome: Outcome, file: File, result: ChangeResult | undefined): void {
  if (!result || result.status >= 400) {
    const { status = 0, code, detail } = result ?? {};
    outcome.failed.push({ file, error: new ApiError('product', status, code ?? '', detail ?? '') });
    return;
  }
  outcome.done.push(file);
  if (result.file) outcome.now.push(result.file);
  if (result.operation) outcome.operations.push(result.operation);
}
