import { BASE } from '$lib/base';

/** A place in the page, as its address says it. */
export type Route =
  | { at: 'files'; folder: string; view: string | null }
  | { at: 'trash'; view: string | null }
  | { at: 'recents'; view: string | null }
  | { at: 'starred'; view: string | null }
  | { at: 'tags'; tag: string | null; view: string | null }
  | { at: 'shared'; part: SharedPart; view: string | null }
  | { at: 'public'; token: string; folder: string | null; view: string | null }
  | { at: 'search'; search: string; view: string | null }
  | { at: 'jobs' }
  | { at: 'notices' }
  | { at: 'queue'; part: QueuePart; search: string }
  | { at: 'queue'; part: 'job'; id: string }
  | { at: 'account'; part: AccountPart; id: string | null }
  | { at: 'admin'; part: AdminPart; search: string }
  | { at: 'admin'; part: 'user'; id: string }
  | { at: DoorPart }
  | { at: 'unknown' };

/** The parts of the administrators' dashboard of jobs. */
export type QueuePart = 'overview' | 'list' | 'dead' | 'types' | 'schedules';
const QUEUE_PARTS: readonly string[] = ['list', 'dead', 'types', 'schedules'] satisfies QueuePart[];

/** What others gave me, what I gave others, and all that opens my files. */
export type SharedPart = 'with-me' | 'by-me' | 'access';
const SHARED_PARTS: readonly string[] = ['by-me', 'access'] satisfies SharedPart[];
/** The parts of the screen of one's own account, and those of administration. */
export type AccountPart = 'profile' | 'storage' | 'security' | 'sessions' | 'tokens' | 'webhooks';
export const ACCOUNT_PARTS: readonly AccountPart[] = [
  'profile',
  'storage',
  'security',
  'sessions',
  'tokens',
  'webhooks',
];
export type AdminPart = 'users' | 'invitations' | 'groups' | 'audit' | 'keys' | 'system';
export const ADMIN_PARTS: readonly AdminPart[] = ['users', 'invitations', 'groups', 'audit', 'keys', 'system'];

/** Screens for whoever is not signed in. */
export type DoorPart = 'register' | 'verify' | 'forgot' | 'reset';
const DOOR_PARTS: readonly string[] = ['register', 'verify', 'forgot', 'reset'] satisfies DoorPart[];

const among = <T extends string>(parts: readonly T[], part: string): part is T =>
  (parts as readonly string[]).includes(part);

const ID = /^[0-9a-f]{24}$/;

export function parseRoute(pathname: string, search: string): Route {
  if (!pathname.startsWith(`${BASE}/`) && pathname !== BASE) return { at: 'unknown' };
  const parts = pathname.slice(BASE.length).split('/').filter(Boolean);
  const query = new URLSearchParams(search);
  const view = query.get('view');
  const seen = view && ID.test(view) ? view : null;
  if (parts.length === 0) return { at: 'files', folder: 'root', view: seen };
  if (parts[0] !== 'app') return { at: 'unknown' };
  const [, place, id, ...more] = parts;
  if (place === 'admin') return adminRoute(id, more, search);
  if (place === 'queue') return more.length > 0 ? { at: 'unknown' } : queueRoute(id, search);
  if (place === 'account') return accountRoute(id, more);
  if (place === 's' && id) return publicRoute(id, more, seen);
  if (more.length > 0) return { at: 'unknown' };
  if (place === 'shared' && id === undefined) return { at: 'shared', part: 'with-me', view: seen };
  if (place === 'shared' && SHARED_PARTS.includes(id ?? ''))
    return { at: 'shared', part: id as SharedPart, view: null };
  if (place === undefined || (place === 'files' && id === undefined))
    return { at: 'files', folder: 'root', view: seen };
  if (place === 'files' && id && (id === 'root' || ID.test(id))) return { at: 'files', folder: id, view: seen };
  if ((place === 'trash' || place === 'recents' || place === 'starred') && id === undefined)
    return { at: place, view: seen };
  if (place === 'tags' && id === undefined) return { at: 'tags', tag: query.get('tag') || null, view: seen };
  // What the viewer shows is no part of what is sought.
  if (place === 'search' && id === undefined) {
    query.delete('view');
    return { at: 'search', search: query.toString(), view: seen };
  }
  if (place === 'jobs' && id === undefined) return { at: 'jobs' };
  if (place === 'notifications' && id === undefined) return { at: 'notices' };
  if (DOOR_PARTS.includes(place) && id === undefined) return { at: place as DoorPart };
  return { at: 'unknown' };
}

function publicRoute(token: string, [folder, ...more]: string[], view: string | null): Route {
  if (more.length > 0 || (folder && !ID.test(folder))) return { at: 'unknown' };
  return { at: 'public', token, folder: folder ?? null, view };
}

function accountRoute(part = 'profile', [id, ...more]: string[]): Route {
  if (!among(ACCOUNT_PARTS, part) || more.length > 0) return { at: 'unknown' };
  if (id === undefined) return { at: 'account', part, id: null };
  return part === 'webhooks' && ID.test(id) ? { at: 'account', part, id } : { at: 'unknown' };
}

function queueRoute(part: string | undefined, search: string): Route {
  if (part === undefined) return { at: 'queue', part: 'overview', search };
  if (QUEUE_PARTS.includes(part)) return { at: 'queue', part: part as QueuePart, search };
  return ID.test(part) ? { at: 'queue', part: 'job', id: part } : { at: 'unknown' };
}

function adminRoute(part: string | undefined, [id, ...more]: string[], search: string): Route {
  if (part === undefined) return { at: 'admin', part: 'users', search };
  if (!among(ADMIN_PARTS, part) || more.length > 0) return { at: 'unknown' };
  if (id === undefined) return { at: 'admin', part, search };
  return part === 'users' && ID.test(id) ? { at: 'admin', part: 'user', id } : { at: 'unknown' };
}

export const hrefs = {
  folder: (id: string) => `${BASE}/app/files${id === 'root' ? '' : `/${id}`}`,
  trash: () => `${BASE}/app/trash`,
  recents: () => `${BASE}/app/recents`,
  starred: () => `${BASE}/app/starred`,
  /** All tags, or what has one of them. A tag can be any text, also one that no path could hold. */
  tags: (tag?: string) => `${BASE}/app/tags${tag ? `?tag=${encodeURIComponent(tag)}` : ''}`,
  shared: (part: SharedPart = 'with-me') => `${BASE}/app/shared${part === 'with-me' ? '' : `/${part}`}`,
  visit: (token: string, folder: string | null) => `${BASE}/app/s/${token}${folder ? `/${folder}` : ''}`,
  search: (query: string) => `${BASE}/app/search${query ? `?${query}` : ''}`,
  jobs: () => `${BASE}/app/jobs`,
  notices: () => `${BASE}/app/notifications`,
  queue: (part: QueuePart = 'overview', query = '') =>
    `${BASE}/app/queue${part === 'overview' ? '' : `/${part}`}${query ? `?${query}` : ''}`,
  job: (id: string) => `${BASE}/app/queue/${id}`,
  account: (part: AccountPart = 'profile') => `${BASE}/app/account${part === 'profile' ? '' : `/${part}`}`,
  webhook: (id: string) => `${BASE}/app/account/webhooks/${id}`,
  admin: (part: AdminPart = 'users', query = '') =>
    `${BASE}/app/admin${part === 'users' ? '' : `/${part}`}${query ? `?${query}` : ''}`,
  user: (id: string) => `${BASE}/app/admin/users/${id}`,
  door: (part: DoorPart) => `${BASE}/app/${part}`,
};

/** The file that the viewer shows there. */
export const viewOf = (route: Route): string | null => ('view' in route ? route.view : null);

/** The entry of the browser's history where we are: what is remembered for it (where one had scrolled to) comes back with it. */
interface Entry {
  key: string;
  /** How many entries of this page lie before it. */
  at: number;
}

const entry = (): Entry => ({ key: 'first', at: 0, ...history.state });

class Router {
  route = $state.raw<Route>(parseRoute(location.pathname, location.search));
  #key = entry().key;
  #at = entry().at;
  #scrolls = new Map<string, number>();
  #entries = 0;

  constructor() {
    addEventListener('popstate', () => this.#travelled());
    // Ordinary links work by themselves in a new tab; a plain click stays in the page.
    document.addEventListener('click', (event) => {
      if (
        event.defaultPrevented ||
        event.button !== 0 ||
        event.metaKey ||
        event.ctrlKey ||
        event.shiftKey ||
        event.altKey
      )
        return;
      const link = (event.target as Element | null)?.closest?.('a');
      if (!link || link.target || link.hasAttribute('download') || link.origin !== location.origin) return;
      if (parseRoute(link.pathname, link.search).at === 'unknown') return;
      event.preventDefault();
      this.go(link.pathname + link.search);
    });
  }

  go(href: string, options: { replace?: boolean } = {}): void {
    if (href === location.pathname + location.search) return;
    if (options.replace) {
      history.replaceState({ key: this.#key, at: this.#at }, '', href);
    } else {
      this.#entries += 1;
      const key = `${Date.now().toString(36)}-${this.#entries}`;
      history.pushState({ key, at: this.#at + 1 }, '', href);
    }
    this.#arrive();
  }

  /** By the browser's own ways. What is modal hears of it as of Escape, and nobody is led away from under it. */
  #travelled(): void {
    const { key, at } = entry();
    // Back again, by what follows.
    if (key === this.#key) return;
    const modal = [...document.querySelectorAll('dialog[open]:not([data-away])')].at(-1);
    if (!modal || at === this.#at) {
      this.#arrive();
      return;
    }
    history.go(this.#at - at);
    // Below the sign-in nobody could answer.
    if (!document.querySelector('dialog[data-away]')) modal.dispatchEvent(new Event('cancel', { cancelable: true }));
  }

  #arrive(): void {
    ({ key: this.#key, at: this.#at } = entry());
    this.route = parseRoute(location.pathname, location.search);
  }

  /** The same place with a file open in the viewer, or none. */
  hrefWithView(id: string | null): string {
    const query = new URLSearchParams(location.search);
    if (id) query.set('view', id);
    else query.delete('view');
    const text = query.toString();
    return location.pathname + (text ? `?${text}` : '');
  }

  openView(id: string): void {
    const open = viewOf(this.route);
    // One step of history for the viewer, however many pictures were looked at.
    this.go(this.hrefWithView(id), { replace: open !== null });
    if (open === null) this.#viewOpened = true;
  }

  #viewOpened = false;

  closeView(): void {
    if (this.#viewOpened) {
      this.#viewOpened = false;
      history.back();
    } else {
      this.go(this.hrefWithView(null), { replace: true });
    }
  }

  /** Whether the place before this one, in the browser's history, is one of this page. */
  get hasCome(): boolean {
    return this.#key !== 'first';
  }

  keepScroll(top: number): void {
    this.#scrolls.set(this.#key, top);
  }

  keptScroll(): number {
    return this.#scrolls.get(this.#key) ?? 0;
  }
}

export const router = new Router();
