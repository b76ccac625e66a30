import { answerOf, client } from './client';
import type { ArchiveEntryList } from './types';

/** What is in an archive, in pages. */
export function listEntries(
  id: string,
  query: { cursor?: string; limit?: number },
  signal?: AbortSignal,
): Promise<ArchiveEntryList> {
  return answerOf(client.GET('/api/v1/files/{id}/entries', { params: { path: { id }, query }, signal }));
}
