import { beforeAll, describe, expect, it, vi } from 'vitest';

let parseRoute: typeof import('./router.svelte').parseRoute;
let router: typeof import('./router.svelte').router;

/** A browser's history, as far as the module sees it. */
const browser = {
  entries: [{ state: null as unknown, href: '/' }],
  at: 0,
  popped: () => {},
  /** What is modal. */
  dialog: null as EventTarget | null,
  show() {
    const { state, href } = this.entries[this.at] ?? { state: null, href: '/' };
    const [pathname, search = ''] = href.split('?');
    vi.stubGlobal('location', { pathname, search });
    Object.assign(history, { state });
  },
  go(steps: number) {
    this.at += steps;
    this.show();
    this.popped();
  },
};

beforeAll(async () => {
  // The module follows the browser's address from its first moment on.
  vi.stubGlobal('history', {
    state: null,
    pushState(state: unknown, _: string, href: string) {
      browser.entries = [...browser.entries.slice(0, browser.at + 1), { state, href }];
      browser.at += 1;
      browser.show();
    },
    go: (steps: number) => browser.go(steps),
  });
  browser.show();
  vi.stubGlobal('addEventListener', (_: string, popped: () => void) => {
    browser.popped = popped;
  });
  vi.stubGlobal('document', {
    addEventListener: () => {},
    querySelector: () => null,
    querySelectorAll: () => (browser.dialog ? [browser.dialog] : []),
  });
  ({ parseRoute, router } = await import('./router.svelte'));
});

describe("the browser's ways", () => {
  it('lead nobody away from under a dialog, which hears of it as of Escape', () => {
    for (const href of ['/app/trash', '/app/starred', '/app/recents']) router.go(href);
    browser.go(-1);
    expect(router.route.at).toBe('starred');

    const dialog = new EventTarget();
    const heard = vi.fn();
    dialog.addEventListener('cancel', heard);
    browser.dialog = dialog;
    for (const steps of [-1, -2, 1]) {
      browser.go(steps);
      expect([router.route.at, location.pathname]).toEqual(['starred', '/app/starred']);
    }
    expect(heard).toHaveBeenCalledTimes(3);

    browser.dialog = null;
    browser.go(-1);
    expect([router.route.at, location.pathname]).toEqual(['trash', '/app/trash']);
  });
});

const id = '0123456789abcdef01234567';

describe('parseRoute', () => {
  it.each([
    ['/', { at: 'files', folder: 'root', view: null }],
    ['/app', { at: 'files', folder: 'root', view: null }],
    ['/app/files/', { at: 'files', folder: 'root', view: null }],
    [`/app/files/${id}`, { at: 'files', folder: id, view: null }],
    ['/app/trash', { at: 'trash', view: null }],
    ['/app/recents', { at: 'recents', view: null }],
    ['/app/starred', { at: 'starred', view: null }],
    ['/app/tags', { at: 'tags', tag: null, view: null }],
    ['/app/tags/holiday', { at: 'unknown' }],
    ['/app/jobs', { at: 'jobs' }],
    ['/app/notifications', { at: 'notices' }],
    ['/app/notifications/else', { at: 'unknown' }],
    ['/app/shared', { at: 'shared', part: 'with-me', view: null }],
    ['/app/shared/access', { at: 'shared', part: 'access', view: null }],
    ['/app/shared/nonsense', { at: 'unknown' }],
    ['/app/s/To-k_en', { at: 'public', token: 'To-k_en', folder: null, view: null }],
    [`/app/s/To-k_en/${id}`, { at: 'public', token: 'To-k_en', folder: id, view: null }],
    ['/app/s/To-k_en/else', { at: 'unknown' }],
    ['/app/queue', { at: 'queue', part: 'overview', search: '' }],
    ['/app/queue/dead', { at: 'queue', part: 'dead', search: '' }],
    [`/app/queue/${id}`, { at: 'queue', part: 'job', id }],
    [`/app/queue/${id}/log`, { at: 'unknown' }],
    ['/app/queue/overview', { at: 'unknown' }],
    ['/app/register', { at: 'register' }],
    ['/app/reset', { at: 'reset' }],
    ['/app/reset/now', { at: 'unknown' }],
    ['/app/account', { at: 'account', part: 'profile', id: null }],
    ['/app/account/tokens', { at: 'account', part: 'tokens', id: null }],
    [`/app/account/tokens/${id}`, { at: 'unknown' }],
    [`/app/account/webhooks/${id}`, { at: 'account', part: 'webhooks', id }],
    ['/app/account/webhooks/all', { at: 'unknown' }],
    ['/app/account/toString', { at: 'unknown' }],
    ['/app/admin', { at: 'admin', part: 'users', search: '' }],
    ['/app/admin/audit', { at: 'admin', part: 'audit', search: '' }],
    [`/app/admin/users/${id}`, { at: 'admin', part: 'user', id }],
    [`/app/admin/groups/${id}`, { at: 'unknown' }],
    ['/app/admin/users/me', { at: 'unknown' }],
    ['/app/files/../x', { at: 'unknown' }],
    ['/app/files/nonsense', { at: 'unknown' }],
    ['/app/jobs/7', { at: 'unknown' }],
    ['/files', { at: 'unknown' }],
  ])('%s', (path, route) => {
    expect(parseRoute(path, '')).toEqual(route);
  });

  it('keeps what is asked of the dashboard', () => {
    expect(parseRoute('/app/queue/list', '?state=failed')).toMatchObject({ part: 'list', search: '?state=failed' });
  });

  it('keeps what is sought, without what the viewer shows', () => {
    const search = 'q=garden+plan&kind=image';
    expect(parseRoute('/app/search', `?${search}&view=${id}`)).toEqual({ at: 'search', search, view: id });
  });

  it('takes a tag from the query, whatever it is', () => {
    expect(parseRoute('/app/tags', '?tag=a%2F..%26b')).toEqual({ at: 'tags', tag: 'a/..&b', view: null });
  });

  it('takes the file in the viewer from the query, if it can be one', () => {
    expect(parseRoute('/app/files', `?view=${id}`)).toMatchObject({ view: id });
    expect(parseRoute('/app/files', '?view=<script>')).toMatchObject({ view: null });
  });
});
