import { listShares } from '$lib/api/sharing';
import type { File } from '$lib/api/types';
import { t } from '$lib/i18n';
import { session } from '$lib/state/session.svelte';

/** Names for those by whose doing something is, as far as the reader may know them. */
export async function authorOf(file: File, ids: string[]): Promise<Map<string, string>> {
  const me = session.user?.id;
  const names = new Map<string, string>();
  for (const id of new Set(ids)) {
    if (id === me) names.set(id, t('versions.you'));
    else if (id === file.ownerId) names.set(id, t('versions.owner'));
  }
  const strangers = ids.some((id) => !names.has(id));
  // Who may share a file is told with whom it is shared.
  if (strangers && file.role === 'manager') {
    const shares = await listShares(file.id).catch(() => []);
    for (const { grantee } of shares)
      if (grantee.id && grantee.address && !names.has(grantee.id)) names.set(grantee.id, grantee.address);
  }
  for (const id of ids) if (!names.has(id)) names.set(id, t('versions.somebody'));
  return names;
}
