import { answerOf, client } from './client';
import type { File, FileList, Limits, PathItem, Usage } from './types';
import { visit } from './urls';

export type SortKey = 'name' | 'size' | 'modifiedAt' | 'type';
export type SortOrder = 'asc' | 'desc';

export interface ChildrenQuery {
  sort?: SortKey;
  order?: SortOrder;
  type?: 'folder' | 'file';
  offset?: number;
  limit?: number;
}

const node = (id: string) => ({ path: { id } });

export function listChildren(id: string, query: ChildrenQuery, signal?: AbortSignal): Promise<FileList> {
  return answerOf(client.GET('/api/v1/files/{id}/children', { params: { ...node(id), query }, signal }));
}

export function listTrash(query: { cursor?: string; limit?: number }, signal?: AbortSignal): Promise<FileList> {
  return answerOf(client.GET('/api/v1/trash', { params: { query }, signal }));
}

export function getFile(id: string, signal?: AbortSignal): Promise<File> {
  const link = visit();
  return link ? link.read(id, signal) : answerOf(client.GET('/api/v1/files/{id}', { params: node(id), signal }));
}

export async function getPath(id: string, signal?: AbortSignal): Promise<PathItem[]> {
  return (await answerOf(client.GET('/api/v1/files/{id}/path', { params: node(id), signal }))).items;
}

export function createFolder(parentId: string, name: string): Promise<File> {
  return answerOf(client.POST('/api/v1/files', { body: { parentId, name } }));
}

/** Makes what is missing of `a/b/c`; gives the last folder. Safe to repeat. */
export function createPath(parentId: string, path: string): Promise<File> {
  return answerOf(client.POST('/api/v1/files', { body: { parentId, path } }));
}

export function renameFile(id: string, name: string): Promise<File> {
  return answerOf(client.PATCH('/api/v1/files/{id}', { params: node(id), body: { name } }));
}

export function moveFile(id: string, parentId: string): Promise<File> {
  return answerOf(client.PATCH('/api/v1/files/{id}', { params: node(id), body: { parentId } }));
}

export function trashFile(id: string): Promise<unknown> {
  return answerOf(client.DELETE('/api/v1/files/{id}', { params: node(id) }));
}

export function deleteFile(id: string): Promise<unknown> {
  return answerOf(client.DELETE('/api/v1/files/{id}', { params: { ...node(id), query: { permanent: true } } }));
}

export function restoreFile(id: string): Promise<File> {
  return answerOf(client.POST('/api/v1/files/{id}/restore', { params: node(id) }));
}

export function emptyTrash(): Promise<unknown> {
  return answerOf(client.DELETE('/api/v1/trash'));
}

export function getUsage(): Promise<Usage> {
  return answerOf(client.GET('/api/v1/usage'));
}

/** What an upload into a folder must keep to; into one's own root folder if none is named. */
export function getLimits(folder?: string): Promise<Limits> {
  return answerOf(client.GET('/api/v1/limits', { params: { query: folder ? { folder } : {} } }));
}
