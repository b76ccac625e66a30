import { changeMe } from '$lib/api/account';
import type { PreferencesPatch, User } from '$lib/api/types';
import { isLanguage, type Language, language } from '$lib/i18n/language.svelte';
import { session } from './session.svelte';
import { type Theme, theme } from './theme.svelte';

/** Choices that go with the account to other devices. What the account does not say stays as this browser has it. */

session.onEnter(() => {
  if (session.user) follow(session.user);
});

function follow({ preferences }: User): void {
  if (preferences.theme && preferences.theme !== theme.choice) theme.set(preferences.theme);
  const wanted = preferences.language?.split('-')[0]?.toLowerCase() ?? '';
  if (isLanguage(wanted) && wanted !== language.choice) language.choose(wanted).catch(() => {});
}

/** It holds here even if the account cannot be told. */
function tell(preferences: PreferencesPatch): void {
  if (session.state !== 'signedIn') return;
  changeMe({ preferences }).then(
    (user) => session.update(user),
    () => {},
  );
}

export function setTheme(choice: Theme): void {
  theme.set(choice);
  tell({ theme: choice });
}

/** @throws if the texts of the language do not come; then nothing has changed */
export async function setLanguage(choice: Language | 'auto'): Promise<void> {
  await language.choose(choice);
  tell({ language: choice === 'auto' ? null : choice });
}
