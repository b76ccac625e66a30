import type { Giver, Grantee, LinkRole, ShareRole } from '$lib/api/types';
import { t } from '$lib/i18n';

/** Words for who has access and what they may do. */

export const SHARE_ROLES: readonly ShareRole[] = ['viewer', 'editor', 'manager'];
export const LINK_ROLES: readonly LinkRole[] = ['viewer', 'preview-only', 'editor', 'dropper'];

export const roleName = (role: ShareRole): string => t(`share.role.${role}`);
export const roleHint = (role: ShareRole): string => t(`share.role.${role}.hint`);
export const linkRoleName = (role: LinkRole): string => t(`link.as.${role}`);

export const isShareRole = (role: string): role is ShareRole => (SHARE_ROLES as readonly string[]).includes(role);
export const isLinkRole = (role: string): role is LinkRole => (LINK_ROLES as readonly string[]).includes(role);

/** A role of a kind that may be newer than this page. */
export const anyRoleName = (role: string, link: boolean): string =>
  link ? (isLinkRole(role) ? linkRoleName(role) : role) : isShareRole(role) ? roleName(role) : role;

export const granteeName = (one: Grantee): string =>
  one.type === 'group' ? (one.name ?? t('share.goneGroup')) : (one.address ?? t('share.gone'));

export const giverName = (one: Giver): string => one.address ?? t('share.gone');
