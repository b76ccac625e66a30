import { afterEach, describe, expect, it, vi } from 'vitest';
import { ApiError } from '$lib/api/problem';

/** How each upload that is being sent is refused. */
const lines = vi.hoisted(() => {
  vi.stubGlobal('addEventListener', () => {});
  return new Map<string, (error: Error) => void>();
});

vi.mock('$lib/i18n', () => ({ t: (key: string) => key }));
vi.mock('$lib/api/client', () => ({ reportOutcome: () => {} }));
vi.mock('$lib/api/files', () => ({ getFile: () => {}, createPath: () => {} }));
vi.mock('$lib/listing/listing.svelte', () => ({ folderChanged: () => {} }));
vi.mock('$lib/state/connection.svelte', () => ({ connection: { lost: false, whenBack: () => {} } }));
vi.mock('$lib/state/jobs.svelte', () => ({ jobs: { poke: () => {} } }));
vi.mock('$lib/state/session.svelte', () => ({
  session: { state: 'signedIn', user: { id: 'ada' }, onEnter: () => {} },
}));
vi.mock('$lib/state/usage.svelte', () => ({ usage: { limits: null, changed: () => {} } }));
vi.mock('./again.svelte', () => ({
  readable: async () => true,
  Again: class {
    recall = async () =>
      ['a', 'b'].map((uploadId) => ({
        uploadId,
        name: uploadId,
        folderId: 'root',
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
  discard: async () => {},
  sendResumable: (_place: unknown, _body: unknown, { uploadId }: { uploadId: string }) => ({
    done: new Promise((_, reject) => lines.set(uploadId, reject)),
    cancel: () => {},
  }),
}));

const { uploads } = await import('./uploads.svelte');

const taken = (upload: string) =>
  lines.get(upload)?.(new ApiError('product', 409, 'name_taken', '', [], '', null, 'there'));
const stateOf = (name: string) => uploads.items.find((item) => item.name === name)?.state;

afterEach(() => {
  uploads.clearAll();
});

describe('uploads that were left behind', () => {
  it('are not answered by what was said for all of another one', async () => {
    await vi.waitFor(() => expect(uploads.items.length).toBe(2));
    const ids = uploads.items.map((item) => item.id);
    for (const [at, id] of ids.entries()) {
      uploads.release(id);
      await vi.waitFor(() => expect(lines.size).toBe(at + 1));
    }
    taken('a');
    await vi.waitFor(() => expect(stateOf('a')).toBe('conflict'));
    uploads.resolve(uploads.items[0]?.id ?? 0, 'replace', true);
    taken('b');
    await vi.waitFor(() => expect(stateOf('b')).toBe('conflict'));
  });
});
