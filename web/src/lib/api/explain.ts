import { type PlainKey, t } from '$lib/i18n';
import { formatDuration } from '$lib/i18n/format';
import type { ApiError } from './problem';

/** What each code means. Texts of one part of the page are for what only that part asks for. */
const TEXTS: Record<string, PlainKey> = {
  account_closed: 'provider.closed',
  address_taken: 'error.addressTaken',
  address_unverified: 'provider.unverified',
  already_set_up: 'error.alreadySetUp',
  answer_lost: 'error.changed',
  body_too_slow: 'error.notWhole',
  changed_since: 'error.changed',
  checksum_mismatch: 'error.notWhole',
  conflict: 'error.changed',
  cross_origin: 'error.crossOrigin',
  deletion_scheduled: 'error.deletionScheduled',
  digest_mismatch: 'error.notWhole',
  disk_full: 'error.diskFull',
  forbidden: 'error.forbidden',
  has_second_factor: 'error.changed',
  identity_taken: 'provider.taken',
  incomplete_body: 'error.notWhole',
  insufficient_scope: 'error.forbidden',
  invalid_code: 'error.code',
  invalid_credentials: 'error.credentials',
  invalid_cursor: 'error.changed',
  invalid_invitation: 'error.invitation',
  invalid_name: 'error.invalidName',
  invalid_second_factor: 'error.secondFactor',
  invalid_setup_code: 'error.setupCode',
  invitation_required: 'error.invitationRequired',
  key_taken: 'error.jobKeyTaken',
  last_administrator: 'error.lastAdministrator',
  last_way_in: 'identity.last',
  length_required: 'error.notWhole',
  link_exhausted: 'visit.exhausted',
  link_locked: 'visit.locked.title',
  link_required: 'provider.linkRequired',
  locked: 'error.underWay',
  name_taken: 'error.nameTaken',
  no_second_factor: 'error.changed',
  not_a_file: 'error.notFile',
  not_a_folder: 'error.notFolder',
  not_found: 'error.notFound',
  not_in_trash: 'error.notInTrash',
  not_undoable: 'error.notUndoable',
  not_verified: 'error.notVerified',
  parent_not_folder: 'error.fileInTheWay',
  parent_not_found: 'error.parentGone',
  precondition_failed: 'error.changed',
  provider_answer: 'provider.answer',
  provider_refused: 'provider.refused',
  provider_state: 'provider.state',
  provider_unavailable: 'provider.unavailable',
  quota_exceeded: 'error.quota',
  rate_limited: 'error.rateLimited',
  registration_closed: 'error.registrationClosed',
  request_under_way: 'error.underWay',
  root_is_fixed: 'error.root',
  second_factor_required: 'error.secondFactor',
  too_deep: 'error.tooDeep',
  too_large: 'error.tooLarge',
  too_many: 'error.tooMany',
  unauthorized: 'error.unauthorized',
  unavailable: 'error.unavailable',
  unknown_person: 'share.add.unknown',
  unreadable_archive: 'entries.unreadable',
  unsupported_media_type: 'entries.unreadable',
  upload_complete: 'error.notWhole',
  upload_length: 'error.notWhole',
  upload_offset: 'error.notWhole',
  version_is_current: 'error.versionIsCurrent',
  would_make_cycle: 'error.cycle',
  wrong_password: 'error.wrongPassword',
};

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
  return error.detail ? t('error.refused', { detail: error.detail }) : t('error.status', { status: error.status });
}

function byCode({ code, retryAfter, jobState }: ApiError): string | null {
  if (code === 'rate_limited' && retryAfter) return t('error.rateLimitedFor', { time: formatDuration(retryAfter) });
  if (code === 'job_state') return t('error.jobState', { state: jobState ? t(`jobs.state.${jobState}`) : '–' });
  const key = TEXTS[code];
  const text = key && t(key);
  // The part that has the text is not here: somebody else has asked.
  return text && text !== key ? text : null;
}
