import { beforeEach, describe, expect, it, vi } from 'vitest';

vi.mock('$lib/i18n', () => ({ t: (key: string) => key }));

const { doneQuietly: quietly, doneWithUndo, forgetSteps, undoable, undoLast, whoActs } = await import('./undo');
const { toasts } = await import('./toasts.svelte');
const { ApiError } = await import('$lib/api/problem');

/** Done at once by who is here. */
const doneQuietly = (undo: Parameters<typeof quietly>[0]) => quietly(undo, whoActs());

beforeEach(() => {
  forgetSteps();
  toasts.list = [];
});

describe('undo', () => {
  it('waits for what runs, and takes that back', async () => {
    const said: string[] = [];
    let end = () => {};
    const copy = undoable(async () => {
      await new Promise<void>((resume) => (end = resume));
      doneQuietly(async () => void said.push('copy'));
    });
    doneQuietly(async () => void said.push('before'));
    const copied = copy();
    const undone = undoLast();
    end();
    await Promise.all([copied, undone]);
    expect(said).toEqual(['copy']);
  });

  it('says that it waits, and hears the keys once', async () => {
    vi.useFakeTimers();
    const said: string[] = [];
    let end = () => {};
    const copied = undoable(() => new Promise<void>((resume) => (end = resume)))();
    for (const one of ['first', 'second']) doneQuietly(async () => void said.push(one));
    const undone = undoLast();
    await vi.advanceTimersByTimeAsync(1000);
    expect(toasts.list.map(({ text }) => text)).toEqual(['undo.waits']);
    await undoLast();
    end();
    await Promise.all([copied, undone]);
    vi.useRealTimers();
    expect(said).toEqual(['second']);
    expect(toasts.list.map(({ text }) => text)).toEqual(['undo.done']);
  });

  it('keeps what could not be taken back now for another try, where it was', async () => {
    const said: string[] = [];
    doneQuietly(async () => void said.push('before'));
    doneQuietly(async () => {
      said.push('most');
      return { text: '9 of 10', again: async () => void said.push('rest') };
    });
    await undoLast();
    expect(toasts.list.at(-1)).toMatchObject({ text: '9 of 10', action: { label: 'retry' } });
    await undoLast();
    await undoLast();
    expect(said).toEqual(['most', 'rest', 'before']);
  });

  it('keeps a step that nobody answered, and drops one that was refused', async () => {
    let error = new ApiError('offline', 0, '', '');
    let tries = 0;
    doneQuietly(async () => {
      tries += 1;
      throw error;
    });
    await undoLast();
    error = new ApiError('product', 409, 'changed_since', '');
    await undoLast();
    await undoLast();
    expect(tries).toBe(2);
    expect(toasts.list.at(-1)?.text).toBe('undo.nothing');
  });

  it('is offered to nobody else when an act ends after its user has left', async () => {
    let end = () => {};
    const acted = undoable(async () => {
      const here = whoActs();
      await new Promise<void>((resume) => (end = resume));
      doneWithUndo('moved', async () => {}, here);
      quietly(async () => {}, here);
    })();
    forgetSteps();
    end();
    await acted;
    expect(toasts.list).toEqual([]);
    await undoLast();
    expect(toasts.list.map(({ text }) => text)).toEqual(['undo.nothing']);
  });

  it('waits for no act of who has left, and takes nothing back for them', async () => {
    const said: string[] = [];
    let end = () => {};
    const theirs = undoable(() => new Promise<void>((resume) => (end = resume)))();
    const asked = undoLast();
    forgetSteps();
    for (const one of ['first', 'second']) doneQuietly(async () => void said.push(one));
    await undoLast();
    expect(said).toEqual(['second']);
    end();
    await Promise.all([theirs, asked]);
    expect(said).toEqual(['second']);
  });

  it('says nothing of what could not be taken back to who comes next', async () => {
    let end = () => {};
    doneQuietly(async () => {
      await new Promise<void>((resume) => (end = resume));
      throw new ApiError('offline', 0, '', '');
    });
    const undone = undoLast();
    // Until it is being taken back.
    await Promise.resolve();
    forgetSteps();
    end();
    await undone;
    expect(toasts.list).toEqual([]);
    await undoLast();
    expect(toasts.list.map(({ text }) => text)).toEqual(['undo.nothing']);
  });
});
