import { changeFiles, undoOperation } from '$lib/api/files';
import { ApiError, asApiError } from '$lib/api/problem';
import type { Change, ChangeResult, File, Operation } from '$lib/api/types';
import { t } from '$lib/i18n';
import { toasts } from '$lib/state/toasts.svelte';
import { type Actor, whoActs } from '$lib/state/undo';

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
  /** By what the product takes back what was done, where it keeps notes of it. */
  notes: Note[];
  /** Whether who did it is still here; of what ends later nothing is told. */
  here: Actor;
}

export interface Note {
  id: string;
  /** Those of `done` that it is about. */
  files: File[];
}

/** What came of taking something back. */
export interface Back {
  /** How many it was about. */
  count: number;
  now: File[];
  failed: Failure[];
  /** What is still to be taken back, once nothing stops it any more; null if there is nothing of that kind. */
  left: Outcome | null;
  here: Actor;
}

/** Changes that go in one request: few enough that one sees how far it is, and can stop. */
const AT_ONCE = 100;

const nothing = (here: Actor): Outcome => ({ done: [], now: [], failed: [], operations: [], notes: [], here });

/**
 * Makes one change of each file; shows how far it is, and can be stopped, if they are many. When somebody else is here before its
 * end, the rest is not done in their name, and nothing is told.
 */
export async function changeAll(files: File[], label: string, change: (file: File) => Change): Promise<Outcome> {
  const here = whoActs();
  const outcome = nothing(here);
  let stopped = false;
  const stop = { label: t('stop'), run: () => (stopped = true) };
  const toast = files.length > AT_ONCE ? toasts.show(label, { tone: 'busy', action: stop }) : null;

  for (let at = 0; at < files.length && !stopped && here(); at += AT_ONCE) {
    const some = files.slice(at, at + AT_ONCE);
    try {
      const { results, operation } = await changeFiles(some.map(change));
      const before = outcome.done.length;
      some.forEach((file, index) => {
        note(outcome, file, results[index]);
      });
      if (operation) outcome.notes.push({ id: operation, files: outcome.done.slice(before) });
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
  return here() ? outcome : nothing(here);
}

/**
 * Takes back what was done: by the product's own notes, which know what has happened to each file since; where it keeps none,
 * by the opposite change. What is refused stops nothing else.
 */
export async function takeBack(outcome: Outcome, label: string, opposite: (file: File) => Change): Promise<Back> {
  if (outcome.notes.length === 0) return backOf(await changeAll(outcome.done, label, opposite));
  const here = whoActs();
  const back: Back = { count: 0, now: [], failed: [], left: null, here };
  const left = nothing(here);
  let over: ApiError | null = null;
  for (const { id, files } of outcome.notes.toReversed()) {
    if (!here()) break;
    back.count += files.length;
    const failed: Failure[] = [];
    try {
      if (over) throw over;
      const answers = new Map((await undoOperation(id)).map((result) => [result.fileId, result]));
      for (const file of files) {
        const result = answers.get(file.id);
        if (result && result.status >= 400) failed.push({ file, error: refusal(result) });
        else if (result?.file) back.now.push(result.file);
      }
    } catch (thrown) {
      const error = asApiError(thrown);
      for (const file of files) failed.push({ file, error });
      // Nobody answers, or nobody is signed in: the others would fail in the same way, and take as long.
      if (error.passing || error.status === 401) over = error;
    }
    back.failed.push(...failed);
    const again = failed.filter(({ error }) => mayWorkLater(error)).map(({ file }) => file);
    left.done.push(...again);
    if (again.length > 0) left.notes.unshift({ id, files: again });
  }
  if (left.done.length > 0) back.left = left;
  return here() ? back : { count: 0, now: [], failed: [], left: null, here };
}

/** The opposite change, seen as something that was taken back. */
export function backOf({ done, now, failed, here }: Outcome): Back {
  const again = failed.filter(({ error }) => mayWorkLater(error)).map(({ file }) => file);
  const left = again.length > 0 ? { ...nothing(here), done: again } : null;
  return { count: done.length + failed.length, now, failed, left, here };
}

/** What stands in the way can go away without the file being changed. */
const mayWorkLater = ({ passing, status, code }: ApiError): boolean =>
  passing || status === 401 || code === 'name_taken' || code === 'parent_not_found';

function refusal({ status = 0, code, detail }: Partial<ChangeResult>): ApiError {
  return new ApiError('product', status, code ?? '', detail ?? '');
}

function note(outcome: Outcome, file: File, result: ChangeResult | undefined): void {
  if (!result || result.status >= 400) {
    outcome.failed.push({ file, error: refusal(result ?? {}) });
    return;
  }
  outcome.done.push(file);
  if (result.file) outcome.now.push(result.file);
  if (result.operation) outcome.operations.push(result.operation);
}
