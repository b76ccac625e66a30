import { answerOf, changeOf, client } from './client';
import type {
  Change,
  ChangeResult,
  File,
  FileEventList,
  FileList,
  Limits,
  Operation,
  PathItem,
  Tag,
  Undone,
  Usage,
  UsageByType,
} from './types';
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

export function renameFile(id: string, name: string): Promise<{ data: File; operation: string | null }> {
  return changeOf(client.PATCH('/api/v1/files/{id}', { params: node(id), body: { name } }));
}

export function trashFile(id: string): Promise<unknown> {
  return answerOf(client.DELETE('/api/v1/files/{id}', { params: node(id) }));
}

/**
 * Makes many changes; each succeeds or fails by itself, and the results stand in the order of the changes. `operation` takes
 * all of them back, if the product keeps a note of them.
 */
export async function changeFiles(
  operations: Change[],
): Promise<{ results: ChangeResult[]; operation: string | null }> {
  const { data, operation } = await changeOf(client.POST('/api/v1/files/batch', { body: { operations } }));
  return { results: data.results, operation };
}

/**
 * Takes changes back, with today's rights: of several each is taken back or refused by itself.
 *
 * @throws ApiError if there was one change, and it is refused
 */
export async function undoOperation(id: string): Promise<Undone['results']> {
  return (await answerOf(client.POST('/api/v1/operations/{id}/undo', { params: node(id) }))).results;
}

/** How a copy of a folder stands that goes on after its request was answered. */
export function getOperation(id: string): Promise<Operation> {
  return answerOf(client.GET('/api/v1/operations/{id}', { params: node(id) }));
}

type Page = { cursor?: string; limit?: number };

/** What happened to a file or folder, the latest first. */
export function listActivity(file: string, query: Page, signal?: AbortSignal): Promise<FileEventList> {
  return answerOf(client.GET('/api/v1/activity', { params: { query: { file, ...query } }, signal }));
}

export function listStarred(query: Page, signal?: AbortSignal): Promise<FileList> {
  return answerOf(client.GET('/api/v1/starred', { params: { query }, signal }));
}

/** Nobody counts how many there are. */
export function listRecents(query: Page, signal?: AbortSignal): Promise<Omit<FileList, 'total'>> {
  return answerOf(client.GET('/api/v1/recents', { params: { query }, signal }));
}

export function listTagged(tag: string, query: Page, signal?: AbortSignal): Promise<FileList> {
  return answerOf(client.GET('/api/v1/tagged', { params: { query: { tag, ...query } }, signal }));
}

/** All tags among one's own files, in the order of the alphabet. */
export async function listTags(signal?: AbortSignal): Promise<Tag[]> {
  return (await answerOf(client.GET('/api/v1/tags', { signal }))).items;
}

export function emptyTrash(): Promise<unknown> {
  return answerOf(client.DELETE('/api/v1/trash'));
}

export function getUsage(): Promise<Usage> {
  return answerOf(client.GET('/api/v1/usage'));
}

/** What of it is of which type: counted when asked, so not to be asked all the time. */
export function getUsageByType(): Promise<UsageByType> {
  return answerOf(client.GET('/api/v1/usage/types'));
}

/** What an upload into a folder must keep to; into one's own root folder if none is named. */
export function getLimits(folder?: string): Promise<Limits> {
  return answerOf(client.GET('/api/v1/limits', { params: { query: folder ? { folder } : {} } }));
}
