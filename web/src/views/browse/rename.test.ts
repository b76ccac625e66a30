import { beforeEach, expect, it, vi } from 'vitest';
import type { File } from '$lib/api/types';

vi.mock('$lib/i18n', () => ({
  t: (key: string, { name = '', reason = '' } = {}) => `${key} ${name} ${reason}`.trim(),
}));
vi.mock('$lib/api/explain', () => ({ explain: () => 'name taken' }));
vi.mock('$lib/state/session.svelte', () => ({ session: { state: 'signedIn' } }));

const { commit } = await import('./rename');
const { Renaming } = await import('./renaming.svelte');
const { ApiError } = await import('$lib/api/problem');
const { toasts } = await import('$lib/state/toasts.svelte');
const { forgetSteps } = await import('$lib/state/undo');

const file = { id: 'f', name: 'before.txt' } as File;
const field = () => ({ focus: vi.fn() }) as unknown as HTMLInputElement;
const refuse = vi.fn(() => Promise.reject(new ApiError('product', 409, 'name_taken', '')));

beforeEach(() => {
  toasts.clear();
  refuse.mockClear();
});

/** Somebody types a name into a field that stands there. */
function typed(name: string) {
  const draft = new Renaming(file);
  draft.field = field();
  draft.name = name;
  return draft;
}

it('is over once it is saved, and where nothing was changed', async () => {
  const save = vi.fn(async () => {});
  const draft = typed(' after.txt ');
  expect(await commit(draft, save)).toBe(true);
  expect(await commit(draft, save)).toBe(false);
  expect(save.mock.calls).toEqual([['after.txt']]);
  for (const name of ['before.txt', ' before.txt ', '  ']) expect(await commit(typed(name), save)).toBe(true);
  expect(save).toHaveBeenCalledTimes(1);
});

it('is told beside the field that it is refused, and given up by leaving it once more', async () => {
  const draft = typed('taken.txt');
  expect(await commit(draft, refuse)).toBe(false);
  expect([draft.name, draft.error]).toEqual(['taken.txt', 'name taken']);
  expect(draft.field?.focus).toHaveBeenCalled();
  draft.left = true;
  expect(await commit(draft, refuse)).toBe(true);
  expect(refuse).toHaveBeenCalledTimes(1);
  expect(toasts.list).toEqual([]);
});

it('takes no focus back from whoever has left', async () => {
  const draft = typed('taken.txt');
  draft.left = true;
  await commit(draft, refuse);
  expect(draft.field?.focus).not.toHaveBeenCalled();
  expect(draft.error).toBe('name taken');
});

it('tells that a name was refused whose field is gone', async () => {
  const draft = typed('taken.txt');
  draft.left = true;
  const done = commit(draft, refuse);
  draft.field = null;
  await done;
  expect(toasts.list.map(({ tone, text }) => [tone, text])).toEqual([['error', 'act.failed before.txt name taken']]);
});

it('tells nothing of it to somebody else', async () => {
  const draft = typed('taken.txt');
  const done = commit(draft, refuse);
  draft.field = null;
  forgetSteps();
  await done;
  expect(toasts.list).toEqual([]);
});
