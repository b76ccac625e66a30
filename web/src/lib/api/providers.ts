import { BASE } from '$lib/base';
import { answerOf, client } from './client';
import type { IdentityList, Provider, SecondFactor, User } from './types';

export async function listProviders(): Promise<Provider[]> {
  return (await answerOf(client.GET('/api/v1/auth/oidc/providers'))).items;
}

/** Where a browser goes to sign in by a provider, and come back to this place. */
export function startHref(provider: string): string {
  const here = location.pathname.slice(BASE.length) + location.search;
  const query = here.startsWith('/app') ? `?returnTo=${encodeURIComponent(here)}` : '';
  return `${BASE}/api/v1/auth/oidc/${encodeURIComponent(provider)}/start${query}`;
}

/** Brings what the account wants besides, after the way back from a provider. */
export async function complete(factor: SecondFactor | undefined, keeps: boolean): Promise<User> {
  const body = { ...factor, ...(keeps ? { cancelDeletion: true } : {}) };
  const login = await answerOf(client.POST('/api/v1/auth/oidc/complete', { body }));
  return login.user;
}

export function listIdentities(): Promise<IdentityList> {
  return answerOf(client.GET('/api/v1/users/me/identities'));
}

/** Gives where the browser goes for it. */
export async function linkIdentity(provider: string, password: string): Promise<string> {
  return (await answerOf(client.POST('/api/v1/users/me/identities', { body: { provider, password } }))).url;
}

export function removeIdentity(id: string): Promise<unknown> {
  return answerOf(client.DELETE('/api/v1/users/me/identities/{id}', { params: { path: { id } } }));
}

/** What came of the way to a provider, as the address says it; taken out of the address. */
export function takeOutcome(): { code: string; provider: string } | null {
  const said = new URLSearchParams(location.hash.slice(1));
  const code = said.get('sign-in');
  if (!code) return null;
  history.replaceState(history.state, '', location.pathname + location.search);
  return { code, provider: said.get('provider') ?? '' };
}
