import type { JobsQuery } from '$lib/api/queue';
import type { JobState } from '$lib/api/types';

export const STATES: readonly JobState[] = ['active', 'inactive', 'delayed', 'failed', 'complete', 'cancelled'];

/** Stretches of time that end now. */
export const SPANS = { '1h': 3_600_000, '24h': 86_400_000, '7d': 604_800_000 } as const;
export type Span = keyof typeof SPANS;

/** Which jobs are listed, as the address says it. */
export interface Filter {
  state: JobState | null;
  type: string;
  q: string;
  /** Those that came within this stretch; or between `from` and `to`. */
  span: Span | null;
  from: string;
  to: string;
  user: string;
  order: 'asc' | 'desc';
}

export const everything: Filter = {
  state: null,
  type: '',
  q: '',
  span: null,
  from: '',
  to: '',
  user: '',
  order: 'desc',
};

const USER = /^[0-9a-f]{24}$/;

/** The instant that a text means, as the API writes it; `''` if it means none. */
function instant(text: string | null): string {
  const at = text ? new Date(text) : null;
  return at && !Number.isNaN(at.getTime()) ? at.toISOString() : '';
}

/** Reads the filter of an address. What makes no sense is left out. */
export function parseFilter(search: string): Filter {
  const query = new URLSearchParams(search);
  const state = query.get('state');
  const span = query.get('span');
  const user = query.get('user') ?? '';
  return {
    state: STATES.find((one) => one === state) ?? null,
    type: query.get('type') ?? '',
    q: query.get('q') ?? '',
    span: span !== null && Object.hasOwn(SPANS, span) ? (span as Span) : null,
    from: instant(query.get('from')),
    to: instant(query.get('to')),
    user: USER.test(user) ? user : '',
    order: query.get('order') === 'asc' ? 'asc' : 'desc',
  };
}

/** The filter as an address says it; what is as usual is not said. */
export function filterQuery(filter: Filter): string {
  const query = new URLSearchParams();
  for (const name of ['state', 'type', 'q', 'span', 'user'] as const) {
    const value = filter[name];
    if (value) query.set(name, value);
  }
  if (!filter.span) {
    if (filter.from) query.set('from', filter.from);
    if (filter.to) query.set('to', filter.to);
  }
  if (filter.order === 'asc') query.set('order', 'asc');
  return query.toString();
}

/** What the API is asked. */
export function apiQuery(filter: Filter, now: number): JobsQuery {
  const from = filter.span ? new Date(now - SPANS[filter.span]).toISOString() : filter.from;
  const to = filter.span ? '' : filter.to;
  return {
    ...(filter.state ? { state: filter.state } : {}),
    ...(filter.type ? { type: filter.type } : {}),
    ...(filter.q.trim() ? { q: filter.q.trim() } : {}),
    ...(from ? { from } : {}),
    ...(to ? { to } : {}),
    ...(filter.user ? { userId: filter.user } : {}),
    ...(filter.order === 'asc' ? { order: 'asc' as const } : {}),
  };
}

/** Whether it leaves anything out, the state aside. */
export function narrows(filter: Filter): boolean {
  return Boolean(filter.type || filter.q.trim() || filter.span || filter.from || filter.to || filter.user);
}

/** An instant as a field of a date and a time shows it, by the reader's clock; and the other way. */
export function toField(iso: string): string {
  if (!iso) return '';
  const at = new Date(iso);
  const local = new Date(at.getTime() - at.getTimezoneOffset() * 60_000);
  return local.toISOString().slice(0, 16);
}

export const fromField = (text: string): string => instant(text);
