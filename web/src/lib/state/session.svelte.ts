import * as account from '$lib/api/account';
import { watchRequests } from '$lib/api/client';
import { type ApiError, asApiError } from '$lib/api/problem';
import type { Setup, User } from '$lib/api/types';
import { BASE } from '$lib/base';
import { connection } from './connection.svelte';
import { forgetSteps } from './undo';

/** `expired`: was signed in, and comes back to the same place after signing in again. */
export type SessionState = 'starting' | 'unreachable' | 'setup' | 'anonymous' | 'expired' | 'signedIn';

class Session {
  state = $state<SessionState>('starting');
  user = $state.raw<User | null>(null);
  setup = $state.raw<Setup | null>(null);
  error = $state.raw<ApiError | null>(null);
  /** Grows when somebody signs in: what was read for another user is read again. */
  epoch = $state(0);
  #lastUser: string | null = null;
  #entered = new Set<(sameUser: boolean) => void>();

  constructor() {
    watchRequests({
      unauthorized: () => {
        if (this.state === 'signedIn') this.state = 'expired';
      },
      reached: (answered) => connection.note(answered),
    });
    connection.ping = async () => {
      try {
        const answer = await fetch(`${BASE}/health/live`, { cache: 'no-store' });
        return answer.status < 502;
      } catch {
        return false;
      }
    };
  }

  /** Calls after each sign-in, saying whether it is the user who was here before. */
  onEnter(call: (sameUser: boolean) => void): void {
    this.#entered.add(call);
  }

  async start(): Promise<void> {
    this.state = 'starting';
    this.error = null;
    try {
      this.enter(await account.getMe());
    } catch (thrown) {
      const error = asApiError(thrown);
      if (error.status === 401) await this.#findDoor();
      else this.#fail(error);
    }
  }

  async #findDoor(): Promise<void> {
    try {
      this.setup = await account.getSetup();
      this.state = this.setup.needed ? 'setup' : 'anonymous';
    } catch (thrown) {
      this.#fail(asApiError(thrown));
    }
  }

  #fail(error: ApiError): void {
    this.error = error;
    this.state = 'unreachable';
  }

  enter(user: User): void {
    const same = this.#lastUser === user.id;
    if (!same) forgetSteps();
    this.#lastUser = user.id;
    this.user = user;
    this.epoch += 1;
    this.state = 'signedIn';
    for (const call of this.#entered) call(same);
  }

  async signOut(): Promise<void> {
    await account.logout().catch((thrown) => {
      if (asApiError(thrown).status !== 401) throw thrown;
    });
    this.user = null;
    this.#lastUser = null;
    forgetSteps();
    this.state = 'anonymous';
    if (!this.setup) await this.#findDoor();
  }
}

export const session = new Session();
