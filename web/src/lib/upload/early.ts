import type { Limits } from '$lib/api/types';
import { t } from '$lib/i18n';
import { formatSize } from '$lib/i18n/format';
import type { Item } from './queue';

/** Why the server would refuse some of these after all their bytes have gone, by their numbers: said before one is sent. */
export function refusals(items: Item[], limits: Limits): [id: number, reason: string][] {
  const most = limits.maxUploadBytes;
  let room = limits.freeBytes ?? Number.POSITIVE_INFINITY;
  return items.flatMap((item): [number, string][] => {
    if (most !== null && item.size > most) return [[item.id, t('upload.tooLarge', { limit: formatSize(most) })]];
    if (item.size > room) return [[item.id, t('upload.noRoom', { free: formatSize(Math.max(0, room)) })]];
    room -= item.size;
    return [];
  });
}
