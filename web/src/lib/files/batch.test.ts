import { beforeEach, describe, expect, it, vi } from 'vitest';
import { ApiError } from '$lib/api/problem';
import type { File } from '$lib/api/types';

const api = vi.hoisted(() => ({ changeFiles: vi.fn(), undoOperation: vi.fn() }));
vi.mock('$lib/api/files', () => api);
vi.mock('$lib/i18n', () => ({ t: (key: string) => key }));

const { changeAll, takeBack } = await import('./batch');
const { forgetSteps } = await import('$lib/state/undo');

const files = Array.from({ length: 250 }, (_, n) => ({ id: `f${n}`, name: `${n}` }) as File);
const restoring = ({ id }: File) => ({ op: 'restore', id }) as const;
const idsOf = (some: { file: File }[]) => some.map(({ file }) => file.id);

beforeEach(() => {
  let request = 0;
  api.changeFiles.mockImplementation(async (changes: { id: string }[]) => ({
    operation: `o${request++}`,
    results: changes.map(({ id }) => ({ status: 200, file: { id } })),
  }));
});

/** Undoes each file of a request, but for those that are refused. */
const undoing = (refused: Record<string, string>) => async (note: string) => {
  const at = Number(note.slice(1)) * 100;
  return files.slice(at, at + 100).map(({ id }) => {
    const code = refused[id];
    return code ? { fileId: id, status: 409, code, file: null } : { fileId: id, status: 200, file: { id } };
  });
};

describe('changing many files', () => {
  it('does not go on in the name of whoever signs in meanwhile, and tells them nothing', async () => {
    const before = api.changeFiles.mock.calls.length;
    const answer = api.changeFiles.getMockImplementation();
    api.changeFiles.mockImplementation(async (changes: unknown) => {
      forgetSteps();
      return answer?.(changes);
    });
    const outcome = await changeAll(files, 'x', restoring);
    expect(api.changeFiles.mock.calls.length - before).toBe(1);
    expect([outcome.done, outcome.now, outcome.failed, outcome.notes]).toEqual([[], [], [], []]);
    expect(outcome.here()).toBe(false);
  });
});

describe('taking back what was done to many files', () => {
  it('one that was changed since stops none of the others', async () => {
    const outcome = await changeAll(files, 'x', restoring);
    api.undoOperation.mockImplementation(undoing({ f240: 'changed_since' }));
    const back = await takeBack(outcome, 'x', restoring);
    expect([back.count, back.now.length, idsOf(back.failed)]).toEqual([250, 249, ['f240']]);
    expect(back.left).toBeNull();
  });

  it('what only stands in the way is left, to be tried again by itself', async () => {
    const outcome = await changeAll(files, 'x', restoring);
    api.undoOperation.mockImplementation(undoing({ f7: 'name_taken', f120: 'changed_since' }));
    const { left } = await takeBack(outcome, 'x', restoring);
    expect(left?.notes.map(({ id, files: of }) => [id, of.map((file) => file.id)])).toEqual([['o0', ['f7']]]);
    // The others of that request are taken back already, which is no news.
    const done = Object.fromEntries(files.map(({ id }) => [id, id === 'f7' ? '' : 'changed_since']));
    api.undoOperation.mockImplementation(undoing(done));
    const again = left && (await takeBack(left, 'x', restoring));
    expect([again?.count, again?.now.length, again?.failed]).toEqual([1, 1, []]);
  });

  it('where nobody answers any more, the rest is left', async () => {
    const outcome = await changeAll(files, 'x', restoring);
    const undo = undoing({});
    api.undoOperation.mockImplementation(async (note: string) => {
      if (note !== 'o2') throw new ApiError('product', 503, 'unavailable', '');
      return undo(note);
    });
    const { failed, left } = await takeBack(outcome, 'x', restoring);
    expect([failed.length, left?.notes.map(({ id }) => id)]).toEqual([200, ['o0', 'o1']]);
  });
});
