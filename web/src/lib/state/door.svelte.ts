/**
 * What links in mails bring, and what one screen before signing in hands to the next. Codes stand behind the `#` of an
 * address, which no server sees; they are taken out of it at once, so that neither the history nor a shared address has them.
 */
class Door {
  invitation = $state('');
  /** Verifies an address, or sets a new password. */
  code = $state('');
  /** For another address of one's account: what went to the new one, and to the old one. */
  newCode = $state('');
  oldCode = $state('');
  email = $state('');
  /** What was just done, for the sign-in to say. */
  done = $state<'' | 'verified' | 'reset'>('');
  /** What was typed a moment ago, to sign in with once the address is verified. */
  credentials: { email: string; password: string } | null = null;

  constructor() {
    this.#read();
    addEventListener('hashchange', () => this.#read());
  }

  #read(): void {
    const given = new URLSearchParams(location.hash.slice(1));
    const kinds = (['invitation', 'code', 'newCode', 'oldCode'] as const).filter((kind) => given.get(kind));
    if (kinds.length === 0) return;
    for (const kind of kinds) this[kind] = given.get(kind) ?? '';
    history.replaceState(history.state, '', location.pathname + location.search);
  }

  /** Somebody is in: nothing of what led there is kept. */
  forget(): void {
    this.invitation = '';
    this.code = '';
    this.email = '';
    this.done = '';
    this.credentials = null;
  }
}

export const door = new Door();
