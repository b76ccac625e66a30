import type { ApiError } from '$lib/api/problem';
import { t } from '$lib/i18n';

const utf8 = new TextEncoder();

/** What is wrong with an address, `''` if nothing obvious is: whether it exists is for the mail to find out. */
export function checkEmail(email: string): string {
  return /^[^\s@]+@[^\s@]+$/.test(email.trim()) ? '' : t('email.invalid');
}

/** The product's rule for new passwords: 8 characters or more, 72 bytes at most. */
export function checkPassword(password: string): string {
  if ([...password].length < 8) return t('password.short');
  if (utf8.encode(password).length > 72) return t('password.long');
  return '';
}

/** What the server said about one member of the request. */
export function fieldError(error: ApiError | null, pointer: string): string {
  const fault = error?.fields.find((field) => field.pointer === pointer);
  if (!fault) return '';
  switch (fault.code) {
    case 'too_short':
      // How many are wanted is a setting, which only the sentence tells.
      return t('password.shortest', { count: Number(fault.detail.match(/\d+/)?.[0] ?? 8) });
    case 'common':
      return t('password.common');
    case 'is_address':
      return t('password.isAddress');
    case 'taken':
      return t('error.addressTaken');
    default:
      return pointer === '/email' || pointer === '/new'
        ? t('email.invalid')
        : t('error.refused', { detail: fault.detail });
  }
}
