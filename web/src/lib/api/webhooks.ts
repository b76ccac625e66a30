import { answerOf, client } from './client';
import type { Webhook, WebhookChange, WebhookDeliveryList } from './types';

const hook = (id: string) => ({ path: { id } });

/** All of one's own, the oldest first. */
export async function listWebhooks(): Promise<Webhook[]> {
  return (await answerOf(client.GET('/api/v1/webhooks'))).items;
}

export function getWebhook(id: string): Promise<Webhook> {
  return answerOf(client.GET('/api/v1/webhooks/{id}', { params: hook(id) }));
}

/** The secret is shown this once. */
export function createWebhook(made: Required<WebhookChange>): Promise<{ webhook: Webhook; secret: string }> {
  return answerOf(client.POST('/api/v1/webhooks', { body: made }));
}

export function changeWebhook(id: string, change: WebhookChange & { active?: boolean }): Promise<Webhook> {
  return answerOf(client.PATCH('/api/v1/webhooks/{id}', { params: hook(id), body: change }));
}

export function deleteWebhook(id: string): Promise<unknown> {
  return answerOf(client.DELETE('/api/v1/webhooks/{id}', { params: hook(id) }));
}

/** For a day, messages are signed with the one before, too. */
export async function replaceSecret(id: string): Promise<string> {
  return (await answerOf(client.POST('/api/v1/webhooks/{id}/secret', { params: hook(id) }))).secret;
}

/** Sends a `ping`, which is tried once. */
export function testWebhook(id: string): Promise<unknown> {
  return answerOf(client.POST('/api/v1/webhooks/{id}/test', { params: hook(id) }));
}

/** Sends a message again that is not on its way any more, as a new one. */
export function sendAgain(id: string, delivery: string): Promise<unknown> {
  const params = { path: { id, delivery } };
  return answerOf(client.POST('/api/v1/webhooks/{id}/deliveries/{delivery}/again', { params }));
}

/** What was sent within 30 days, the latest first. */
export function listDeliveries(
  id: string,
  query: { cursor?: string; limit?: number },
  signal?: AbortSignal,
): Promise<WebhookDeliveryList> {
  return answerOf(client.GET('/api/v1/webhooks/{id}/deliveries', { params: { ...hook(id), query }, signal }));
}
