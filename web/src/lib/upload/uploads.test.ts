import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ApiError } from '$lib/api/problem';

const { session, lines, sent, discarded, bundles, there } = vi.hoisted(() => {
  vi.stubGlobal('addEventListener', () => {});
  const session = {
    state: 'starting',
    user: { id: 'ada' },
    enter: (_sameUser: boolean) => {},
    onEnter(call: (sameUser: boolean) => void): void {
      session.enter = call;
    },
  };
  return {
    session,
    /** How each upload that is being sent is refused. */
    lines: new Map<string, (error: Error) => void>(),
    /** What was begun to be sent, and what to do about a name that is taken. */
    sent: [] as string[],
    discarded: [] as string[],
    /** What has a name that is sent alone. */
    there: new Set<string>(),
    /** The requests of many files, in their order. */
    bundles: [] as { names: string[]; end: (outcomes: unknown[]) => void; fail: (error: Error) => void }[],
  };
});

vi.mock('$lib/i18n', () => ({ t: (key: string) => key }));
vi.mock('$lib/api/client', () => ({ reportOutcome: () => {} }));
vi.mock('$lib/api/files', () => ({
  // The digest of `123456789`.
  getFile: async () => ({
    type: 'file',
    size: 9,
    sha256: '15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225',
  }),
  createPath: () => {},
}));
vi.mock('$lib/listing/listing.svelte', () => ({ folderChanged: () => {} }));
vi.mock('$lib/state/connection.svelte', () => ({ connection: { lost: false, whenBack: () => {} } }));
vi.mock('$lib/state/jobs.svelte', () => ({ jobs: { poke: () => {} } }));
vi.mock('$lib/state/session.svelte', () => ({ session }));
vi.mock('$lib/state/usage.svelte', () => ({ usage: { limits: null, changed: () => {} } }));
vi.mock('./again.svelte', () => ({
  readable: async () => true,
  Again: class {
    recall = async () =>
      ['a', 'b', 'c'].map((uploadId) => ({
        uploadId,
        name: uploadId,
        folderId: uploadId === 'c' ? 'other' : 'root',
        folderName: '',
        size: 9,
        sent: 9,
      }));
    ready = async () => {};
    note = () => {};
    knows = () => false;
  },
}));
vi.mock('./resumable', () => ({
  own: {},
  discard: async (id: string) => void discarded.push(id),
  sendResumable: (_place: unknown, _body: unknown, wish: { uploadId: string; onConflict: string }) => {
    sent.push(`${wish.uploadId} ${wish.onConflict}`);
    return {
      done: new Promise((_, reject) => lines.set(wish.uploadId, reject)),
      cancel: () => lines.get(wish.uploadId)?.(new ApiError('cancelled', 0, '', '')),
    };
  },
}));

vi.mock('./bundle', async (original) => ({
  ...(await original<typeof import('./bundle')>()),
  sendBundle: (_folder: string, _onConflict: string, files: { name: string }[]) => {
    let fail = (_error: Error) => {};
    const done = new Promise((end, reject) => {
      fail = reject;
      bundles.push({ names: files.map((file) => file.name), end, fail });
    });
    return { done, cancel: () => fail(new ApiError('cancelled', 0, '', '')) };
  },
}));
vi.mock('./send', async (original) => ({
  ...(await original<typeof import('./send')>()),
  send: (url: string) => {
    const name = url.match(/children\/(.*)\/content/)?.[1] ?? '';
    sent.push(name);
    const taken = new ApiError('product', 409, 'name_taken', '', [], '', null, 'there');
    return { done: there.has(name) ? Promise.reject(taken) : Promise.resolve({ id: name }), cancel: () => {} };
  },
}));

const { uploads } = await import('./uploads.svelte');

const taken = (upload: string) =>
  lines.get(upload)?.(new ApiError('product', 409, 'name_taken', '', [], '', null, 'there'));
const stateOf = (name: string) => uploads.items.find((item) => item.name === name)?.state;

beforeEach(async () => {
  lines.clear();
  sent.length = 0;
  session.state = 'signedIn';
  session.enter(true);
  await vi.waitFor(() => expect(uploads.items.length).toBe(3));
});
afterEach(() => {
  uploads.clearAll();
});

describe('uploads that were left behind', () => {
  it('are answered together in one folder, and by nothing that was said for another one', async () => {
    const ids = uploads.items.map((item) => item.id);
    for (const [at, id] of ids.entries()) {
      uploads.release(id);
      await vi.waitFor(() => expect(lines.size).toBe(at + 1));
    }
    taken('a');
    await vi.waitFor(() => expect(stateOf('a')).toBe('conflict'));
    uploads.resolve(ids[0] ?? 0, 'replace', true);
    // Imported twice at once, a module that a test stands in for is the real one.
    await vi.waitFor(() => expect(sent).toContain('a replace'));
    taken('b');
    await vi.waitFor(() => expect(sent).toContain('b replace'));
    taken('c');
    await vi.waitFor(() => expect(stateOf('c')).toBe('conflict'));
  });

  it('leave nothing behind once more, where their file is there already', async () => {
    const id = uploads.items[0]?.id ?? 0;
    uploads.giveFile(id, new File(['123456789'], 'a'));
    await vi.waitFor(() => expect(sent).toEqual(['a fail']));
    // Stopped while it was being sent: it may have arrived.
    uploads.hold(id);
    await vi.waitFor(() => expect(stateOf('a')).toBe('held'));
    uploads.release(id);
    await vi.waitFor(() => expect(sent).toEqual(['a fail', 'a fail']));
    taken('a');
    await vi.waitFor(() => expect(stateOf('a')).toBe('done'));
    await vi.waitFor(() => expect(discarded).toEqual(['a']));
  });
});

describe('many small files', () => {
  const target = { id: 'folder', name: 'Folder' };
  const add = (names: string[]) =>
    uploads.add(
      {
        files: names.map((name) => ({ file: new File(['123456789'], name), path: '' })),
        emptyFolders: [],
        unreadable: [],
      },
      target,
    );
  const named = (...names: string[]) => names.map(stateOf);
  const idOf = (name: string) => uploads.items.find((item) => item.name === name)?.id ?? 0;
  const refused = (code: string, status = 409) => new ApiError('product', status, code, '', [], '', null, 'there');

  beforeEach(() => {
    bundles.length = 0;
    there.clear();
    uploads.clearAll();
  });

  it('share requests, and each has an end of its own', async () => {
    add(['1', '2', '3', '4', '5', '6']);
    await vi.waitFor(() =>
      expect(bundles.map(({ names }) => names)).toEqual([
        ['1', '2'],
        ['3', '4'],
      ]),
    );
    expect(sent).toEqual(['5']);
    bundles[0]?.end([{ id: 'one' }, refused('name_taken')]);
    bundles[1]?.end([refused('quota_exceeded', 507), { id: 'four' }]);
    await vi.waitFor(() => expect(named('1', '2', '3', '4')).toEqual(['done', 'conflict', 'failed', 'done']));
    await vi.waitFor(() => expect(named('5', '6')).toEqual(['done', 'done']));
  });

  it('go on without the one that was stopped', async () => {
    add(['1', '2', '3', '4', '5', '6', '7', '8', '9']);
    await vi.waitFor(() => expect(bundles.length).toBe(3));
    expect(bundles[0]?.names).toEqual(['1', '2', '3']);
    // The first had arrived already, though nobody heard of it.
    there.add('1');
    uploads.cancel(idOf('2'));
    await vi.waitFor(() => {
      for (const { names, end } of bundles)
        end(names.map((name) => (there.has(name) ? refused('name_taken') : { id: name })));
      expect(named('1', '2', '3', '4', '9')).toEqual(['done', 'cancelled', 'done', 'done', 'done']);
    });
    expect(bundles.slice(1).flatMap(({ names }) => names)).not.toContain('2');
    expect(uploads.items.filter(({ found }) => found).map(({ name }) => name)).toEqual(['1']);
  });

  it('that had arrived unheard are found, not asked about', async () => {
    add(['1', '2', '3', '4', '5', '6']);
    await vi.waitFor(() => expect(bundles.length).toBe(2));
    there.add('1');
    bundles[0]?.fail(new ApiError('offline', 0, '', ''));
    await vi.waitFor(() => expect(named('1', '2')).toEqual(['paused', 'paused']));
    await vi.waitFor(() => expect(named('1', '2')).toEqual(['done', 'done']), 5000);
    expect(uploads.items.map(({ found }) => found)).toEqual([true, false, false, false, false, false]);
  });

  it('go one by one to a server that takes no forms', async () => {
    add(['1', '2', '3', '4', '5', '6']);
    await vi.waitFor(() => expect(bundles.length).toBe(2));
    for (const bundle of bundles) bundle.fail(refused('method_not_allowed', 405));
    await vi.waitFor(() => expect(named('1', '2', '3', '4', '5', '6')).toEqual(Array(6).fill('done')));
    expect([...sent].sort()).toEqual(['1', '2', '3', '4', '5', '6']);
    expect(bundles.length).toBe(2);
  });
});
