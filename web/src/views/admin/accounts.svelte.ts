import { SvelteMap } from 'svelte/reactivity';
import { getAccount } from '$lib/api/admin';
import { asApiError } from '$lib/api/problem';
import type { Account } from '$lib/api/types';

/** Questions under way at once. */
const AT_ONCE = 4;

/** Whose id is whose, for lists that name accounts by their ids: asked for once each, as they are shown. */
class AccountNames {
  /** Null for an account that is not there any more. */
  #known = new SvelteMap<string, string | null>();
  #asked = new Set<string>();
  #waiting: string[] = [];
  #flying = 0;

  /** The address; null if there is no such account, undefined while nobody knows. */
  of(id: string): string | null | undefined {
    const known = this.#known.get(id);
    if (known === undefined && !this.#asked.has(id)) {
      this.#asked.add(id);
      this.#waiting.push(id);
      // Not in the middle of drawing, which asks.
      queueMicrotask(() => this.#next());
    }
    return known;
  }

  learn(accounts: readonly Pick<Account, 'id' | 'email'>[]): void {
    for (const { id, email } of accounts) {
      this.#asked.add(id);
      if (this.#known.get(id) !== email) this.#known.set(id, email);
    }
  }

  gone(id: string): void {
    this.#known.set(id, null);
  }

  #next(): void {
    while (this.#flying < AT_ONCE) {
      const id = this.#waiting.shift();
      if (id === undefined) return;
      this.#flying += 1;
      getAccount(id)
        .then(
          (account) => this.#known.set(id, account.email),
          (thrown) => {
            if (asApiError(thrown).status === 404) this.#known.set(id, null);
            else this.#asked.delete(id);
          },
        )
        .finally(() => {
          this.#flying -= 1;
          this.#next();
        });
    }
  }
}

export const names = new AccountNames();
