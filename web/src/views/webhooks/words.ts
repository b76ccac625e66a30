import type { Webhook, WebhookDelivery, WebhookEvent } from '$lib/api/types';
import { t } from '$lib/i18n';

/** What one can be told of, by what it is about. A `ping` is sent when one asks for it. */
export const FILE_EVENTS = [
  'file.created',
  'file.updated',
  'file.moved',
  'file.trashed',
  'file.restored',
  'file.deleted',
  'file.shared',
] as const satisfies WebhookEvent[];
export const JOB_EVENTS = ['job.complete', 'job.failed'] as const satisfies WebhookEvent[];

type Tone = 'plain' | 'accent' | 'done' | 'wait' | 'danger';

/** What people call it: by what it is for, else by where it goes. */
export function nameOf({ description, url }: Pick<Webhook, 'description' | 'url'>): string {
  if (description.trim()) return description.trim();
  return URL.canParse(url) ? new URL(url).host : url;
}

/** How it stands, in a word. */
export function markOf(hook: Pick<Webhook, 'active' | 'off' | 'failures'>): { text: string; tone: Tone } {
  if (!hook.active)
    return { text: t('webhooks.off'), tone: hook.off && hook.off.reason !== 'owner' ? 'danger' : 'plain' };
  return hook.failures > 0 ? { text: t('webhooks.failing'), tone: 'wait' } : { text: t('webhooks.on'), tone: 'done' };
}

export const TONES: Record<WebhookDelivery['state'], Tone> = {
  pending: 'wait',
  delivered: 'done',
  failed: 'danger',
  cancelled: 'plain',
};

/** Whether messages may go to an address, as far as that can be seen from it. The product looks at it again, and at where its name leads. */
export function isAddress(text: string): boolean {
  if (!URL.canParse(text.trim())) return false;
  const { protocol, host, username, password } = new URL(text.trim());
  return (protocol === 'https:' || protocol === 'http:') && host !== '' && !username && !password;
}
