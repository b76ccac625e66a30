import { answerOf, client } from './client';
import type {
  Account,
  AccountDetails,
  AccountList,
  AccountPatch,
  AccountRequest,
  AuditLog,
  Group,
  GroupList,
  InvitationList,
  InvitationRequest,
  JobStats,
  NewInvitation,
  Role,
} from './types';

/** Calls of administration, for administrators. */

/** How the installation is. What is null did not answer: a part that is away takes some answers with it. */
export interface Health {
  /** The stores of accounts, files and jobs, all of them. */
  stores: boolean | null;
  /** What remembers credentials and limits. */
  cache: boolean | null;
  /** How long the answer about both took, in milliseconds. */
  tookMs: number;
  numbers: { users: number; files: number } | null;
  jobs: Pick<JobStats, 'counts' | 'paused' | 'oldestWaitingAt'> | null;
}

/** Tells each answer as soon as it is there: what hangs keeps nothing else from being seen. */
export function askHealth(tell: (part: Partial<Health>) => void): void {
  const begun = performance.now();
  // The history of jobs is not wanted here, so as little of it as can be.
  const query = { since: new Date().toISOString() };
  orNull(answerOf(client.GET('/status'))).then((status) =>
    tell({ stores: status?.db ?? null, cache: status?.redis ?? null, tookMs: performance.now() - begun }),
  );
  orNull(answerOf(client.GET('/stats'))).then((numbers) => tell({ numbers }));
  orNull(answerOf(client.GET('/api/v1/jobs/stats', { params: { query } }))).then((jobs) => tell({ jobs }));
}

const orNull = <T>(asked: Promise<T>): Promise<T | null> => asked.catch(() => null);

export interface AccountsQuery {
  q?: string;
  role?: Role;
  state?: 'active' | 'disabled';
  cursor?: string;
  limit?: number;
}

export interface AuditQuery {
  actor?: string;
  action?: string;
  from?: string;
  to?: string;
  cursor?: string;
  limit?: number;
}

const at = (id: string) => ({ path: { id } });

export function listAccounts(query: AccountsQuery, signal?: AbortSignal): Promise<AccountList> {
  return answerOf(client.GET('/api/v1/admin/users', { params: { query }, signal }));
}

export function getAccount(id: string, signal?: AbortSignal): Promise<AccountDetails> {
  return answerOf<AccountDetails>(client.GET('/api/v1/admin/users/{id}', { params: at(id), signal }));
}

export function createAccount(request: AccountRequest): Promise<Account> {
  return answerOf(client.POST('/api/v1/admin/users', { body: request }));
}

export function changeAccount(id: string, patch: AccountPatch): Promise<AccountDetails> {
  return answerOf<AccountDetails>(client.PATCH('/api/v1/admin/users/{id}', { params: at(id), body: patch as never }));
}

export function removeAccount(id: string): Promise<unknown> {
  return answerOf(client.DELETE('/api/v1/admin/users/{id}', { params: at(id) }));
}

export function listInvitations(query: { cursor?: string; limit?: number }, signal?: AbortSignal) {
  return answerOf<InvitationList>(client.GET('/api/v1/admin/invitations', { params: { query }, signal }));
}

export function createInvitation(request: InvitationRequest): Promise<NewInvitation> {
  return answerOf<NewInvitation>(client.POST('/api/v1/admin/invitations', { body: request }));
}

export function withdrawInvitation(id: string): Promise<unknown> {
  return answerOf(client.DELETE('/api/v1/admin/invitations/{id}', { params: at(id) }));
}

export function listGroups(query: { cursor?: string; limit?: number }, signal?: AbortSignal): Promise<GroupList> {
  return answerOf(client.GET('/api/v1/groups', { params: { query }, signal }));
}

export function createGroup(name: string, members: string[]): Promise<Group> {
  return answerOf(client.POST('/api/v1/groups', { body: { name, members } }));
}

export function changeGroup(id: string, change: { name?: string; members?: string[] }): Promise<Group> {
  return answerOf(client.PATCH('/api/v1/groups/{id}', { params: at(id), body: change }));
}

export function removeGroup(id: string): Promise<unknown> {
  return answerOf(client.DELETE('/api/v1/groups/{id}', { params: at(id) }));
}

export function listAudit(query: AuditQuery, signal?: AbortSignal): Promise<AuditLog> {
  return answerOf<AuditLog>(client.GET('/api/v1/admin/audit', { params: { query }, signal }) as never);
}

/** The whole log that a filter lets in, one JSON object a line. */
export function exportAudit(query: AuditQuery): Promise<Blob> {
  return answerOf<Blob>(
    client.GET('/api/v1/admin/audit', {
      params: { query },
      headers: { Accept: 'application/x-ndjson' },
      parseAs: 'blob',
    }) as never,
  );
}

/** Gives the id of the new key. */
export async function rotateKeys(compromised: boolean): Promise<string> {
  return (await answerOf(client.POST('/api/v1/admin/keys/rotate', { body: { compromised } }))).keyId;
}
