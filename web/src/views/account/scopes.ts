/** What an API token can be good for. */
export const SCOPES = ['files:read', 'files:write', 'shares', 'jobs:read', 'jobs:work', 'account', 'admin'] as const;
export type Scope = (typeof SCOPES)[number];

/** Those that a token for one folder may have. */
export const OF_FILES: readonly Scope[] = ['files:read', 'files:write', 'shares'];
const OF_ADMINISTRATORS: readonly Scope[] = ['jobs:work', 'admin'];

/** The scopes that somebody may give, whether or not for one folder only. */
export const scopesFor = (admin: boolean, folder: boolean): Scope[] =>
  SCOPES.filter((scope) => (admin || !OF_ADMINISTRATORS.includes(scope)) && (!folder || OF_FILES.includes(scope)));
