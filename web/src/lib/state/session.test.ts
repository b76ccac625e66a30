import { beforeEach, describe, expect, it, vi } from 'vitest';
import { ApiError } from '$lib/api/problem';

const here = vi.hoisted(() => {
  const tab = {
    /** What another tab tells. */
    hear: (_: { data: string | null }) => {},
    told: [] as (string | null)[],
    unauthorized: () => {},
    /** Whose the cookie is; answers wait while `gate` is there. */
    user: null as string | null,
    asked: 0,
    gate: null as Promise<void> | null,
  };
  class Channel {
    set onmessage(call: typeof tab.hear) {
      tab.hear = call;
    }
    postMessage(user: string | null) {
      tab.told.push(user);
    }
  }
  globalThis.BroadcastChannel = Channel as never;
  return tab;
});

vi.mock('./connection.svelte', () => ({ connection: { note: () => {} } }));
vi.mock('$lib/i18n', () => ({ t: (key: string) => key }));
vi.mock('$lib/api/client', () => ({
  watchRequests: (calls: { unauthorized: () => void }) => {
    here.unauthorized = calls.unauthorized;
  },
}));
vi.mock('$lib/api/account', () => ({
  getMe: async () => {
    here.asked += 1;
    const user = here.user;
    await here.gate;
    if (user === null) throw new ApiError('product', 401, 'unauthorized', '');
    return { id: user };
  },
  getSetup: async () => ({ needed: false }),
}));

const { session } = await import('./session.svelte');
const { whoActs } = await import('./undo');

const settled = () => vi.waitFor(() => expect(session.state).not.toBe('starting'));

async function begin(user: string | null) {
  here.user = user;
  await session.start();
  here.asked = 0;
}

beforeEach(() => {
  here.gate = null;
});

describe('a tab follows the others', () => {
  it('from the form to whoever signed in', async () => {
    await begin(null);
    expect(session.state).toBe('anonymous');
    here.user = 'ada';
    here.hear({ data: 'ada' });
    await vi.waitFor(() => expect(session.state).toBe('signedIn'));
    expect([session.state, session.user?.id, here.asked]).toEqual(['signedIn', 'ada', 1]);
  });

  it('with what it hears while it starts', async () => {
    let open = () => {};
    await begin('ada');
    here.gate = new Promise((resume) => (open = resume));
    here.hear({ data: 'eve' });
    expect(session.state).toBe('starting');
    here.user = null;
    here.hear({ data: null });
    here.gate = null;
    open();
    await vi.waitFor(() => expect(session.state).toBe('anonymous'));
  });

  it('out of an expired session, and into the next', async () => {
    await begin('ada');
    here.unauthorized();
    expect(session.state).toBe('expired');
    here.hear({ data: null });
    expect([session.state, session.user]).toEqual(['anonymous', null]);
    here.user = 'eve';
    here.hear({ data: 'eve' });
    await vi.waitFor(() => expect(session.state).toBe('signedIn'));
    expect(session.user?.id).toBe('eve');
  });

  it('and no act of who was here goes on then', async () => {
    await begin('ada');
    const told = whoActs();
    here.user = null;
    here.hear({ data: null });
    await vi.waitFor(() => expect(session.state).toBe('anonymous'));
    expect(told()).toBe(false);

    await begin('ada');
    const expired = whoActs();
    here.unauthorized();
    // Who comes back in goes on with it.
    expect(expired()).toBe(true);
    session.leaveExpired();
    expect(expired()).toBe(false);
  });

  it('and asks no more once it is where they are', async () => {
    await begin('ada');
    here.hear({ data: 'ada' });
    expect([session.state, here.asked]).toEqual(['signedIn', 0]);
    // Whoever signed in is gone again by now.
    await begin(null);
    here.hear({ data: 'ada' });
    await settled();
    expect([session.state, here.asked]).toEqual(['anonymous', 1]);
    here.hear({ data: null });
    expect([session.state, here.asked]).toEqual(['anonymous', 1]);
  });
});
