import { explain } from '$lib/api/explain';
import { getOperation } from '$lib/api/files';
import { ApiError, asApiError } from '$lib/api/problem';
import type { File, Operation } from '$lib/api/types';
import { t } from '$lib/i18n';
import { formatSize } from '$lib/i18n/format';
import { folderChanged } from '$lib/listing/listing.svelte';
import { toasts } from '$lib/state/toasts.svelte';
import { undoable } from '$lib/state/undo';
import { usage } from '$lib/state/usage.svelte';
import { throwAway } from './actions';
import { changeAll, type Outcome } from './batch';
import { named, tell } from './tell';

/** How often to ask how far a copy is: soon at first, then ever more seldom. */
const FIRST_MS = 300;
const LONGEST_MS = 2_000;
/** Unanswered questions one after another before nobody waits any more. */
const PATIENCE = 20;

const sleep = (ms: number) => new Promise((resume) => setTimeout(resume, ms));

/** Copies files and folders into a folder; a name that is taken there gets a number. */
export const copyFiles = undoable(async (files: File[], to: { id: string; name: string }): Promise<void> => {
  if (files.length === 0) return;
  const label = t('act.copying', { count: files.length });
  const outcome = await changeAll(files, label, ({ id }) => ({
    op: 'copy',
    id,
    parentId: to.id,
    onConflict: 'rename',
  }));
  folderChanged(to.id, 'root');
  const ended = await follow(outcome, label);
  if (!outcome.here()) return;
  if (outcome.operations.length > 0) folderChanged(to.id, 'root');
  usage.changed();
  const sourceOf = ({ sourceId }: Operation) => files.find(({ id }) => id === sourceId);
  // Nobody waited for the end of these: whether they are copied is not known, and they are not taken back.
  const running = ended.filter(({ state }) => state === 'running').flatMap((one) => sourceOf(one) ?? []);
  for (const operation of ended) {
    const file = sourceOf(operation);
    if (!file || operation.state === 'done') continue;
    outcome.done = outcome.done.filter(({ id }) => id !== file.id);
    if (operation.state === 'failed')
      outcome.failed.push({ file, error: new ApiError('product', 409, operation.code ?? '', '') });
  }
  const made = [
    ...outcome.now,
    ...ended
      .filter(({ state }) => state === 'done')
      .map((one) => ({ id: one.fileId, parentId: to.id, name: sourceOf(one)?.name ?? '' }) as File),
  ];
  tell(
    outcome,
    (done) => t('act.copied', { ...named(done), folder: to.name }),
    () => throwAway(made),
  );
  if (running.length > 0) toasts.show(t('act.copying.on', { ...named(running), folder: to.name }));
});

/** Waits for copies of folders and shows how far they are. Gives them as they stood when nobody waited any more. */
async function follow({ operations, here }: Outcome, label: string): Promise<Operation[]> {
  let all = operations;
  let toast: number | null = null;
  let pause = FIRST_MS;
  let unanswered = 0;
  while (here() && all.some(({ state }) => state === 'running')) {
    await sleep(pause);
    pause = Math.min(pause * 1.5, LONGEST_MS);
    try {
      all = await Promise.all(all.map((one) => (one.state === 'running' ? getOperation(one.id) : one)));
      unanswered = 0;
    } catch (thrown) {
      const error = asApiError(thrown);
      unanswered += 1;
      if (here() && (!error.passing || unanswered > PATIENCE)) {
        if (toast !== null) toasts.dismiss(toast);
        // It goes on without us; only how far it is cannot be told any more.
        toasts.error(explain(error));
        return all;
      }
    }
    if (!here()) break;
    const count = all.reduce((sum, one) => sum + one.copied, 0);
    const size = formatSize(all.reduce((sum, one) => sum + one.copiedBytes, 0));
    const text = t('act.copied.soFar', { label, count, size });
    if (toast === null) toast = toasts.show(text, { tone: 'busy' });
    else toasts.update(toast, { text });
  }
  if (toast !== null) toasts.dismiss(toast);
  return all;
}
