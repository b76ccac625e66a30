import { t } from '$lib/i18n';
import { formatDuration } from '$lib/i18n/format';
import type { ApiError } from './problem';

/** What happened and what can be done, in the reader's words. */
export function explain(error: ApiError): string {
  if (error.cause === 'offline') return t('error.offline');
  if (error.cause === 'cancelled') return t('error.cancelled');
  const known = byCode(error);
  if (known) return known;
  if (error.cause === 'hop') {
    // An answer that does not speak the product's language comes from something in between.
    if (error.status === 413) return t('error.hop.tooLarge');
    if (error.status >= 502 && error.status <= 504) return t('error.hop.away', { status: error.status });
    return t('error.hop', { status: error.status });
  }
  if (error.status >= 500) return t('error.internal', { request: error.requestId || '–' });
  return error.detail || t('error.status', { status: error.status });
}

function byCode(error: ApiError): string | null {
  switch (error.code) {
    case 'unauthorized':
      return t('error.unauthorized');
    case 'invalid_credentials':
      return t('error.credentials');
    case 'second_factor_required':
    case 'invalid_second_factor':
      return t('error.secondFactor');
    case 'wrong_password':
      return t('error.wrongPassword');
    case 'invalid_code':
      return t('error.code');
    case 'not_verified':
      return t('error.notVerified');
    case 'invitation_required':
      return t('error.invitationRequired');
    case 'invalid_invitation':
      return t('error.invitation');
    case 'unreadable_archive':
      return t('entries.unreadable');
    case 'last_administrator':
      return t('error.lastAdministrator');
    case 'changed_since':
    case 'has_second_factor':
    case 'no_second_factor':
    case 'conflict':
      return t('error.changed');
    case 'too_many':
      return t('error.tooMany');
    case 'deletion_scheduled':
      return t('error.deletionScheduled');
    case 'registration_closed':
      return t('error.registrationClosed');
    case 'address_taken':
      return t('error.addressTaken');
    case 'invalid_setup_code':
      return t('error.setupCode');
    case 'already_set_up':
      return t('error.alreadySetUp');
    case 'forbidden':
      return t('error.forbidden');
    case 'not_found':
      return t('error.notFound');
    case 'parent_not_found':
      return t('error.parentGone');
    case 'name_taken':
      return t('error.nameTaken');
    case 'invalid_name':
      return t('error.invalidName');
    case 'would_make_cycle':
      return t('error.cycle');
    case 'too_deep':
      return t('error.tooDeep');
    case 'too_large':
      return t('error.tooLarge');
    case 'quota_exceeded':
      return t('error.quota');
    case 'disk_full':
      return t('error.diskFull');
    case 'rate_limited':
      return error.retryAfter
        ? t('error.rateLimitedFor', { time: formatDuration(error.retryAfter) })
        : t('error.rateLimited');
    case 'job_state':
      return t('error.jobState', { state: error.jobState ? t(`jobs.state.${error.jobState}`) : '–' });
    case 'key_taken':
      return t('error.jobKeyTaken');
    case 'link_exhausted':
      return t('visit.exhausted');
    case 'unavailable':
      return t('error.unavailable');
    default:
      return null;
  }
}
