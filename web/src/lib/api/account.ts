import { answerOf, client } from './client';
import type {
  AccountExport,
  ApiToken,
  ApiTokenRequest,
  DeletionScheduled,
  Job,
  JobList,
  JobState,
  JobSummary,
  NewApiToken,
  PreferencesPatch,
  SecondFactor,
  SessionList,
  Setup,
  SignedOut,
  TotpEnrolment,
  User,
} from './types';

const cookie = { session: 'cookie' as const };

export function getSetup(): Promise<Setup> {
  return answerOf(client.GET('/api/v1/setup'));
}

export async function completeSetup(code: string, email: string, password: string): Promise<User> {
  return (await answerOf(client.POST('/api/v1/setup', { body: { code, email, password, ...cookie } }))).user;
}

/** Makes an account. `signedIn` is false where its address has to be verified first. */
export async function register(
  email: string,
  password: string,
  invitation: string,
): Promise<{ user: User; signedIn: boolean }> {
  const body = { email, password, ...cookie, ...(invitation ? { invitation } : {}) };
  const request = client.POST('/api/v1/auth/register', { body });
  const { user } = await answerOf(request);
  return { user, signedIn: (await request).response.status === 201 };
}

/** With `keeps`, an account that waits to be deleted stays. */
export async function login(email: string, password: string, keeps: boolean, factor?: SecondFactor): Promise<User> {
  const body = { email, password, ...factor, ...(keeps ? { cancelDeletion: true } : {}), ...cookie };
  return (await answerOf(client.POST('/api/v1/auth/login', { body }))).user;
}

export function verifyAddress(code: string): Promise<unknown> {
  return answerOf(client.POST('/api/v1/auth/verify', { body: { code } }));
}

export function resendVerification(email: string): Promise<unknown> {
  return answerOf(client.POST('/api/v1/auth/verify/resend', { body: { email } }));
}

export function forgotPassword(email: string): Promise<unknown> {
  return answerOf(client.POST('/api/v1/auth/password/forgot', { body: { email } }));
}

export function resetPassword(code: string, password: string): Promise<unknown> {
  return answerOf(client.POST('/api/v1/auth/password/reset', { body: { code, password } }));
}

export function logout(): Promise<SignedOut | undefined> {
  return answerOf(client.POST('/api/v1/auth/logout'));
}

export function getMe(): Promise<User> {
  return answerOf(client.GET('/api/v1/users/me'));
}

export function changeMe(change: { name?: string | null; preferences?: PreferencesPatch }): Promise<User> {
  return answerOf(client.PATCH('/api/v1/users/me', { body: change as never }));
}

/** All other sign-ins end, and with `endTokens` all API tokens and identities of providers. */
export function changePassword(current: string, fresh: string, endTokens: boolean): Promise<unknown> {
  const body = { current, new: fresh, ...(endTokens ? { endTokens } : {}) };
  return answerOf(client.POST('/api/v1/users/me/password', { body }));
}

export function changeEmail(fresh: string, password: string): Promise<unknown> {
  return answerOf(client.POST('/api/v1/users/me/email', { body: { new: fresh, password } }));
}

/** `oldCode` is empty where the old address is no mailbox, so that none went to it. */
export function confirmEmail(newCode: string, oldCode: string): Promise<User> {
  const body = { newCode, ...(oldCode ? { oldCode } : {}) };
  return answerOf(client.POST('/api/v1/users/me/email/confirm', { body }));
}

export function beginTotp(password: string): Promise<TotpEnrolment> {
  return answerOf(client.POST('/api/v1/users/me/totp', { body: { password } }));
}

/** Gives the recovery codes, which are shown this once. */
export async function confirmTotp(code: string): Promise<string[]> {
  return (await answerOf(client.POST('/api/v1/users/me/totp/confirm', { body: { code } }))).recoveryCodes;
}

export function removeTotp(password: string, factor: SecondFactor): Promise<unknown> {
  return answerOf(client.DELETE('/api/v1/users/me/totp', { body: { password, ...factor } }));
}

/** Closes the account at once, to be deleted after some days. */
export function deleteMe(password: string, factor?: SecondFactor): Promise<DeletionScheduled> {
  return answerOf(client.DELETE('/api/v1/users/me', { body: { password, ...factor } }));
}

/** How far the export of all that is one's own is. */
export function getExport(signal?: AbortSignal): Promise<AccountExport> {
  return answerOf(client.GET('/api/v1/users/me/export', { signal }));
}

/** Has it put together; while one is under way, that one is answered. */
export function askForExport(password: string, factor?: SecondFactor): Promise<AccountExport> {
  return answerOf(client.POST('/api/v1/users/me/export', { body: { password, ...factor } }));
}

export function listSessions(cursor: string | null, signal?: AbortSignal): Promise<SessionList> {
  const query = cursor ? { cursor } : {};
  return answerOf(client.GET('/api/v1/users/me/sessions', { params: { query }, signal }));
}

export function endSession(id: string): Promise<unknown> {
  return answerOf(client.DELETE('/api/v1/users/me/sessions/{id}', { params: { path: { id } } }));
}

/** Ends all but the one that asks. */
export function endOtherSessions(): Promise<unknown> {
  return answerOf(client.DELETE('/api/v1/users/me/sessions'));
}

export async function listTokens(signal?: AbortSignal): Promise<ApiToken[]> {
  return (await answerOf(client.GET('/api/v1/users/me/tokens', { signal }))).items;
}

export function createToken(request: ApiTokenRequest): Promise<NewApiToken> {
  return answerOf<NewApiToken>(client.POST('/api/v1/users/me/tokens', { body: request }));
}

export function revokeToken(id: string): Promise<unknown> {
  return answerOf(client.DELETE('/api/v1/users/me/tokens/{id}', { params: { path: { id } } }));
}

export function listJobs(
  query: { state?: JobState; type?: string; cursor?: string; limit?: number },
  signal?: AbortSignal,
): Promise<JobList> {
  return answerOf<JobList>(client.GET('/api/v1/users/me/jobs', { params: { query }, signal }));
}

export function getJobsSummary(): Promise<JobSummary> {
  return answerOf(client.GET('/api/v1/users/me/jobs/summary'));
}

export type { Job };
