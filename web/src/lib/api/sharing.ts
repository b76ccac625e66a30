import { BASE } from '$lib/base';
import { answerOf, client } from './client';
import type { Access, CreateLink, Group, Link, Person, Share, SharedFile, ShareRole, UpdateLink } from './types';

/** Calls about who may get at what. */

const one = (id: string) => ({ path: { id } });

export interface Page<T> {
  items: T[];
  nextCursor: string | null;
  total: number;
}
type At = { cursor?: string; limit?: number };

export async function listShares(fileId: string, signal?: AbortSignal): Promise<Share[]> {
  const all = await answerOf(client.GET('/api/v1/files/{id}/shares', { params: one(fileId), signal }));
  return all.items as unknown as Share[];
}

/** Whom to give a right: an account, by its id or its address, or a group. */
export type Receiver = { userId: string } | { address: string } | { groupId: string };

/** Who has a right to it already gets the new role. */
export async function createShare(fileId: string, to: Receiver, role: ShareRole): Promise<Share> {
  const body = { ...to, role };
  return (await answerOf(client.POST('/api/v1/files/{id}/shares', { params: one(fileId), body }))) as unknown as Share;
}

export async function changeShare(id: string, role: ShareRole): Promise<Share> {
  return (await answerOf(client.PATCH('/api/v1/shares/{id}', { params: one(id), body: { role } }))) as unknown as Share;
}

export function endShare(id: string): Promise<unknown> {
  return answerOf(client.DELETE('/api/v1/shares/{id}', { params: one(id) }));
}

export function listSharedWithMe(query: At, signal?: AbortSignal): Promise<Page<SharedFile>> {
  return answerOf<Page<SharedFile>>(client.GET('/api/v1/shares/with-me', { params: { query }, signal }) as never);
}

export function listSharedByMe(query: At, signal?: AbortSignal): Promise<Page<SharedFile>> {
  return answerOf<Page<SharedFile>>(client.GET('/api/v1/shares/by-me', { params: { query }, signal }) as never);
}

export async function listLinks(fileId: string, signal?: AbortSignal): Promise<Link[]> {
  const all = await answerOf(client.GET('/api/v1/files/{id}/links', { params: one(fileId), signal }));
  return all.items as unknown as Link[];
}

export async function createLink(fileId: string, link: CreateLink): Promise<Link> {
  return (await answerOf(
    client.POST('/api/v1/files/{id}/links', { params: one(fileId), body: link }),
  )) as unknown as Link;
}

export async function changeLink(id: string, change: UpdateLink): Promise<Link> {
  return (await answerOf(client.PATCH('/api/v1/links/{id}', { params: one(id), body: change }))) as unknown as Link;
}

export function endLink(id: string): Promise<unknown> {
  return answerOf(client.DELETE('/api/v1/links/{id}', { params: one(id) }));
}

export function listAccess(query: At, signal?: AbortSignal): Promise<Page<Access>> {
  return answerOf<Page<Access>>(client.GET('/api/v1/access', { params: { query }, signal }) as never);
}

export function endAccess(kind: string, id: string): Promise<unknown> {
  return answerOf(client.DELETE('/api/v1/access/{kind}/{id}', { params: { path: { kind, id } } }));
}

export async function findPeople(q: string, signal?: AbortSignal): Promise<Person[]> {
  return (await answerOf(client.GET('/api/v1/people', { params: { query: { q, limit: 8 } }, signal }))).items;
}

/** The groups that somebody may share with: those that they are in. */
export async function listGroups(signal?: AbortSignal): Promise<Group[]> {
  return (await answerOf(client.GET('/api/v1/groups', { params: { query: { limit: 1000 } }, signal }))).items;
}

/** The address that a link is passed on by: a page that needs no account. */
export const linkAddress = (token: string): string => `${location.origin}${BASE}/app/s/${token}`;
