import Ban from '@lucide/svelte/icons/ban';
import CircleCheck from '@lucide/svelte/icons/circle-check';
import Copy from '@lucide/svelte/icons/copy';
import KeyRound from '@lucide/svelte/icons/key-round';
import LogOut from '@lucide/svelte/icons/log-out';
import ScrollText from '@lucide/svelte/icons/scroll-text';
import Shield from '@lucide/svelte/icons/shield';
import ShieldOff from '@lucide/svelte/icons/shield-off';
import Trash from '@lucide/svelte/icons/trash-2';
import type { Account, AccountDetails } from '$lib/api/types';
import { t } from '$lib/i18n';
import { copyText } from '$lib/state/copy';
import { menu } from '$lib/state/menu.svelte';
import { hrefs, router } from '$lib/state/router.svelte';
import { session } from '$lib/state/session.svelte';
import { mailNewPassword, remove, resetSecondFactor, setDisabled, setRole, signOutEverywhere } from './acts';

/** What can be done with an account, as a menu. Nobody shuts themselves out by it. */
export function openAccountMenu(
  account: Account,
  at: Element,
  on: { changed: (account: AccountDetails) => void; gone: () => void },
): void {
  const own = account.id === session.user?.id;
  menu.open(at, t('admin.acts.of', { name: account.email }), [
    { label: t('admin.audit.of'), icon: ScrollText, run: () => router.go(hrefs.admin('audit', `actor=${account.id}`)) },
    { label: t('admin.copyId'), icon: Copy, run: () => copyText(account.id) },
    'line',
    { label: t('admin.password'), icon: KeyRound, run: () => mailNewPassword(account) },
    ...(own
      ? []
      : [
          { label: t('admin.signOut'), icon: LogOut, run: () => signOutEverywhere(account) },
          { label: t('admin.factor'), icon: ShieldOff, run: () => resetSecondFactor(account) },
          account.role === 'admin'
            ? { label: t('admin.demote'), icon: Shield, run: () => setRole(account, 'user', on.changed) }
            : { label: t('admin.promote'), icon: Shield, run: () => setRole(account, 'admin', on.changed) },
          'line' as const,
          account.disabled
            ? { label: t('admin.enable'), icon: CircleCheck, run: () => setDisabled(account, false, on.changed) }
            : { label: t('admin.disable'), icon: Ban, run: () => setDisabled(account, true, on.changed) },
          {
            label: t('admin.delete'),
            icon: Trash,
            tone: 'danger' as const,
            run: async () => {
              if (await remove(account)) on.gone();
            },
          },
        ]),
  ]);
}
