import { answerOf, client } from './client';
import type { File, VersionList } from './types';
import { API, segment } from './urls';

const of = (id: string, version: number) => ({ params: { path: { id, version } } });

/** The contents that a file has had, the present one first. */
export function listVersions(
  id: string,
  query: { cursor?: string; limit?: number },
  signal?: AbortSignal,
): Promise<VersionList> {
  return answerOf(client.GET('/api/v1/files/{id}/versions', { params: { path: { id }, query }, signal }));
}

/** Makes an old content the present one once more, as a new version. */
export function restoreVersion(id: string, version: number): Promise<File> {
  return answerOf(client.POST('/api/v1/files/{id}/versions/{version}/restore', of(id, version)));
}

/** Gives an old content up for good. */
export function deleteVersion(id: string, version: number): Promise<unknown> {
  return answerOf(client.DELETE('/api/v1/files/{id}/versions/{version}', of(id, version)));
}

export function versionUrl(id: string, version: number, options: { download?: boolean } = {}): string {
  return `${API}/files/${segment(id)}/versions/${version}/content${options.download ? '?download=true' : ''}`;
}
