import type { SearchQuery } from '$lib/api/search';

/** What is sought, as the address of the screen says it. */
export interface Sought {
  q: string;
  kind: Kind | null;
  when: When | null;
  size: Size | null;
  tag: string | null;
  /** The folder in which it is sought; everywhere if none. */
  under: string | null;
}

export const KINDS = ['folder', 'image', 'video', 'audio', 'pdf', 'text'] as const;
export type Kind = (typeof KINDS)[number];
/** How long ago something was changed at most, in days. */
export const WHENS = { day: 1, week: 7, month: 31, year: 366 } as const;
export type When = keyof typeof WHENS;
/** How large it is at least, in bytes. */
export const SIZES = { mega: 1e6, hundred: 1e8, giga: 1e9 } as const;
export type Size = keyof typeof SIZES;

const DAY_MS = 86_400_000;
const MIMES: Record<Exclude<Kind, 'folder'>, string> = {
  image: 'image/',
  video: 'video/',
  audio: 'audio/',
  pdf: 'application/pdf',
  text: 'text/',
};

const among = <T extends string>(all: readonly string[], given: string | null): T | null =>
  given !== null && all.includes(given) ? (given as T) : null;

export function readSought(search: string): Sought {
  const given = new URLSearchParams(search);
  const under = given.get('under');
  return {
    q: given.get('q') ?? '',
    kind: among<Kind>(KINDS, given.get('kind')),
    when: among<When>(Object.keys(WHENS), given.get('when')),
    size: among<Size>(Object.keys(SIZES), given.get('size')),
    tag: given.get('tag') || null,
    under: under && /^[0-9a-f]{24}$/.test(under) ? under : null,
  };
}

export function writeSought(sought: Sought): string {
  const query = new URLSearchParams();
  for (const [key, value] of Object.entries(sought)) if (value) query.set(key, value);
  return query.toString();
}

/** The question for the product. A day begins where it does for the reader, so that the same question stays the same for a day. */
export function askFor(sought: Sought, now: Date): Omit<SearchQuery, 'cursor' | 'limit'> {
  const { q, kind, when, size, tag, under } = sought;
  const today = new Date(now);
  today.setHours(0, 0, 0, 0);
  return {
    q: q.trim(),
    ...(kind === 'folder' ? { type: 'folder' as const } : kind ? { mime: MIMES[kind] } : {}),
    ...(when ? { from: new Date(today.getTime() - (WHENS[when] - 1) * DAY_MS).toISOString() } : {}),
    ...(size ? { minSize: SIZES[size] } : {}),
    ...(tag ? { tag } : {}),
    ...(under ? { under } : {}),
  };
}

/** The words that are looked for, as the product takes them apart. */
export const wordsOf = (q: string): string[] => q.match(/[\p{L}\p{N}]+/gu)?.slice(0, 8) ?? [];

/** A name in parts, of which every other one, from the second on, begins a word that is looked for. */
export function markedParts(name: string, q: string): string[] {
  const words = wordsOf(q);
  if (words.length === 0) return [name];
  const pattern = new RegExp(`(?<![\\p{L}\\p{N}])(${words.join('|')})`, 'giu');
  return name.split(pattern);
}

/** A text in parts, of which every other one, from the second on, is marked. */
export function cutMarks(text: string, marks: { start: number; end: number }[]): string[] {
  const parts: string[] = [];
  let at = 0;
  for (const { start, end } of marks) {
    if (start < at || end <= start || end > text.length) continue;
    parts.push(text.slice(at, start), text.slice(start, end));
    at = end;
  }
  return [...parts, text.slice(at)];
}
