import { answerOf, client } from './client';
import type { NotificationList } from './types';

export function listNotices(
  query: { unread?: boolean; cursor?: string; limit?: number },
  signal?: AbortSignal,
): Promise<NotificationList> {
  return answerOf<NotificationList>(client.GET('/api/v1/notifications', { params: { query }, signal }));
}

export async function countUnread(): Promise<number> {
  return (await listNotices({ unread: true, limit: 1 })).unread;
}

/** Marks all as read that came until then; gives how many are unread still. */
export async function readNotices(upTo: string): Promise<number> {
  return (await answerOf(client.POST('/api/v1/notifications/read', { body: { all: true, upTo } }))).unread;
}
