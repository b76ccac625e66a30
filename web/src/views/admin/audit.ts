import type { AuditQuery } from '$lib/api/admin';
import type { PlainKey } from '$lib/i18n';

/** What the log tells of, in the order of its choice. */
export const ACTIONS = [
  'session.opened',
  'session.ended',
  'session.refused',
  'session.reused',
  'token.made',
  'token.revoked',
  'user.made',
  'user.changed',
  'user.deleted',
  'user.signed_out',
  'user.password_reset',
  'user.second_factor_reset',
  'account.password',
  'account.email',
  'account.verified',
  'account.deletion_asked',
  'account.deletion_cancelled',
  'account.identity_linked',
  'account.identity_removed',
  'account.export_asked',
  'account.recovery_code_used',
  'account.second_factor_on',
  'account.second_factor_off',
  'invitation.made',
  'invitation.withdrawn',
  'invitation.used',
  'keys.rotated',
  'group.made',
  'group.changed',
  'group.deleted',
] as const;
export type Action = (typeof ACTIONS)[number];

/** The key of the name of an action; null for one that a newer server knows. */
export const actionKey = (action: string): (PlainKey & `admin.action.${Action}`) | null =>
  (ACTIONS as readonly string[]).includes(action) ? `admin.action.${action as Action}` : null;

/** Whether what an action was done to is an account. */
export const isAboutAccount = (action: string): boolean =>
  action.startsWith('user.') || action.startsWith('account.') || action === 'session.refused';

/** Whether it was done to a session, whose id tells nobody anything. */
export const isOfSession = (action: string): boolean => action === 'session.opened' || action === 'session.ended';

/** The filter of an address: days by the reader's own calendar, the last one included. */
export interface AuditFilter {
  actor: string;
  action: string;
  from: string;
  to: string;
}

const ID = /^[0-9a-f]{24}$/;
const DAY = /^\d{4}-\d\d-\d\d$/;

export function parseFilter(search: string): AuditFilter {
  const query = new URLSearchParams(search);
  const of = (name: string, form: RegExp) => {
    const text = query.get(name) ?? '';
    return form.test(text) ? text : '';
  };
  return {
    actor: of('actor', ID),
    action: of('action', /^[a-z_]+\.[a-z_]+$/),
    from: of('from', DAY),
    to: of('to', DAY),
  };
}

export function filterSearch(filter: AuditFilter): string {
  return new URLSearchParams(Object.entries(filter).filter(([, value]) => value)).toString();
}

export function auditQuery({ actor, action, from, to }: AuditFilter): AuditQuery {
  const end = to ? new Date(`${to}T00:00:00`) : null;
  // A day may have 23 or 25 hours.
  end?.setDate(end.getDate() + 1);
  return {
    ...(actor ? { actor } : {}),
    ...(action ? { action } : {}),
    ...(from ? { from: new Date(`${from}T00:00:00`).toISOString() } : {}),
    ...(end ? { to: end.toISOString() } : {}),
  };
}

const LISTED = 2;

/** Details in one line: `role: admin, quotaBytes: 5`; of a long list only how long it is. */
export function detailsText(details: object): string {
  const textOf = (value: unknown) => {
    if (Array.isArray(value)) return value.length > LISTED ? String(value.length) : value.join(' ');
    return typeof value === 'object' ? JSON.stringify(value) : String(value);
  };
  return Object.entries(details)
    .map(([name, value]) => `${name}: ${textOf(value)}`)
    .join(', ');
}
