import { answerOf, client } from './client';
import type { paths } from './schema';
import type { File, PathItem } from './types';

type Search = paths['/api/v1/search']['get'];
export type SearchQuery = Search['parameters']['query'];

/** Where in a text words were found, in UTF-16 code units. */
interface Mark {
  start: number;
  end: number;
}

/** Something that was found, and where. */
export interface Hit {
  file: File;
  /** The folders above it, as far as the reader may know of them. */
  path: PathItem[];
  /** What holds the word that was found least well. */
  match: 'name' | 'tag' | 'text';
  excerpt: { text: string; marks: Mark[] } | null;
}

/** A page of what was found; it may be empty and not the last one. Where it is `incomplete`, more may be there that is not found. */
export async function search(
  query: SearchQuery,
  signal?: AbortSignal,
): Promise<{ items: Hit[]; nextCursor: string | null; incomplete: boolean }> {
  const page = await answerOf(client.GET('/api/v1/search', { params: { query }, signal }));
  return { items: page.items, nextCursor: page.nextCursor ?? null, incomplete: page.incomplete };
}
