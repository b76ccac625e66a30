import Globe from '@lucide/svelte/icons/globe';
import Keyboard from '@lucide/svelte/icons/keyboard';
import LogOut from '@lucide/svelte/icons/log-out';
import Monitor from '@lucide/svelte/icons/monitor';
import Moon from '@lucide/svelte/icons/moon';
import Settings from '@lucide/svelte/icons/settings';
import Sun from '@lucide/svelte/icons/sun';
import { explain } from '$lib/api/explain';
import { asApiError } from '$lib/api/problem';
import { t } from '$lib/i18n';
import { LANGUAGES, type Language, language } from '$lib/i18n/language.svelte';
import { dialogs } from '$lib/state/dialogs.svelte';
import { menu } from '$lib/state/menu.svelte';
import { hrefs, router } from '$lib/state/router.svelte';
import { session } from '$lib/state/session.svelte';
import { setLanguage, setTheme } from '$lib/state/synced';
import { theme } from '$lib/state/theme.svelte';
import { toasts } from '$lib/state/toasts.svelte';
import { reading } from '$lib/upload/add.svelte';

export function openAccountMenu(at: Element): void {
  menu.open(at, t('account'), [
    { heading: session.user?.email ?? '' },
    { label: t('account.open'), icon: Settings, run: () => router.go(hrefs.account()) },
    'line',
    { heading: t('theme') },
    { label: t('theme.system'), icon: Monitor, checked: theme.choice === 'system', run: () => setTheme('system') },
    { label: t('theme.light'), icon: Sun, checked: theme.choice === 'light', run: () => setTheme('light') },
    { label: t('theme.dark'), icon: Moon, checked: theme.choice === 'dark', run: () => setTheme('dark') },
    'line',
    { heading: t('language') },
    { label: t('language.auto'), icon: Globe, checked: language.choice === 'auto', run: () => speak('auto') },
    // Each by its own name, for whoever cannot read the others.
    ...(Object.keys(LANGUAGES) as Language[]).map((one) => ({
      label: LANGUAGES[one],
      icon: Globe,
      checked: language.choice === one,
      run: () => speak(one),
    })),
    'line',
    { label: t('help.title'), icon: Keyboard, keys: '?', run: () => dialogs.open({ kind: 'help' }) },
    { label: t('signOut'), icon: LogOut, run: signOut },
  ]);
}

export async function speak(choice: Language | 'auto'): Promise<void> {
  try {
    await setLanguage(choice);
  } catch {
    toasts.error(t('language.failed'));
  }
}

async function signOut(): Promise<void> {
  // What could not be loaded has nothing on its way.
  const uploads = await import('$lib/upload/uploads.svelte').then(
    (engine) => engine.uploads,
    () => null,
  );
  if (uploads?.active || reading.active) {
    const yes = await dialogs.confirm({
      title: t('signOut.uploads.title'),
      text: t('signOut.uploads.text'),
      act: t('signOut'),
    });
    if (!yes) return;
  }
  try {
    await session.signOut();
    uploads?.clearAll();
    reading.cancel();
  } catch (thrown) {
    toasts.error(t('signOut.failed', { reason: explain(asApiError(thrown)) }));
  }
}

/** The letter that stands for somebody. */
export const initialOf = (email: string): string => ([...email][0] ?? '?').toLocaleUpperCase();
