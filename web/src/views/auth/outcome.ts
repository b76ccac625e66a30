import { type PlainKey, t } from '$lib/i18n';

const TEXTS: Record<string, PlainKey> = {
  provider_state: 'provider.state',
  provider_refused: 'provider.refused',
  provider_answer: 'provider.answer',
  provider_unavailable: 'provider.unavailable',
  address_unverified: 'provider.unverified',
  registration_closed: 'provider.noSignUp',
  account_closed: 'provider.closed',
  link_required: 'provider.linkRequired',
  identity_taken: 'provider.taken',
  deletion_scheduled: 'error.deletionScheduled',
  not_verified: 'error.notVerified',
  unavailable: 'error.unavailable',
  rate_limited: 'error.rateLimited',
  too_many: 'error.tooMany',
};

/** What the code behind a provider's answer means for whoever came from there. */
export function outcomeText(code: string): string {
  return t(TEXTS[code] ?? 'provider.other.failure');
}
