import Bell from '@lucide/svelte/icons/bell';
import CircleAlert from '@lucide/svelte/icons/circle-alert';
import Link2 from '@lucide/svelte/icons/link-2';
import PackageCheck from '@lucide/svelte/icons/package-check';
import type { Component } from 'svelte';
import type { Notification } from '$lib/api/types';
import { type PlainKey, t } from '$lib/i18n';
import { formatTimeExact } from '$lib/i18n/format';
import { hrefs } from '$lib/state/router.svelte';

/** A notification as people read it. */
export interface Words {
  title: string;
  text: string;
  icon: Component<{ size?: number | string }>;
  tone: 'plain' | 'accent' | 'danger';
  /** The file that it is about. */
  fileId: string | null;
  /** Where one goes on from it, if not to a file. */
  to: { href: string; name: string } | null;
}

/** Why a webhook was switched off by the product. */
const REASONS = {
  failing: 'notices.webhook.failing',
  gone: 'notices.webhook.gone',
  'not-administrator': 'notices.webhook.not-administrator',
} as const satisfies Record<string, PlainKey>;

const isReason = (word: string): word is keyof typeof REASONS => Object.hasOwn(REASONS, word);

/** What a notification says in the reader's language; of a kind that is not known here, what the product says. */
export function wordsOf({ kind, text, data }: Pick<Notification, 'kind' | 'text' | 'data'>): Words {
  const about = typeof data === 'object' && data !== null ? (data as Record<string, unknown>) : {};
  const word = (name: string) => (typeof about[name] === 'string' ? (about[name] as string) : '');
  const count = (name: string) => (typeof about[name] === 'number' ? (about[name] as number) : 0);
  const plain: Words = { title: text, text: '', icon: Bell, tone: 'plain', fileId: null, to: null };
  const fileId = word('lastFileId') || word('fileId') || null;
  switch (kind) {
    case 'job.failed':
      return {
        ...plain,
        title: word('type') === 'thumbnails' ? t('notices.thumbnails') : t('notices.job', { type: word('type') }),
        text: word('error'),
        icon: CircleAlert,
        tone: 'danger',
        fileId,
      };
    case 'link.used': {
      const [downloads, drops] = [count('downloads'), count('drops')];
      const label = word('label');
      return {
        ...plain,
        title: label ? t('notices.link', { label }) : t('notices.linkUnnamed'),
        text: [
          ...(downloads > 0 ? [t('notices.downloads', { count: downloads })] : []),
          ...(drops > 0 ? [t('notices.drops', { count: drops })] : []),
        ].join(' · '),
        icon: Link2,
        tone: 'accent',
        fileId,
      };
    }
    case 'export.ready': {
      const until = word('expiresAt');
      return {
        ...plain,
        title: t('notices.export'),
        text: until ? t('notices.export.until', { time: formatTimeExact(until) }) : '',
        icon: PackageCheck,
        tone: 'accent',
        to: { href: hrefs.account(), name: t('notices.toExport') },
      };
    }
    case 'webhook.switched-off': {
      const [reason, id] = [word('reason'), word('webhookId')];
      return {
        ...plain,
        title: t('notices.webhook'),
        text: isReason(reason) ? t(REASONS[reason]) : text,
        icon: CircleAlert,
        tone: 'danger',
        to: id ? { href: hrefs.webhook(id), name: t('notices.toWebhook') } : null,
      };
    }
    default:
      return plain;
  }
}
