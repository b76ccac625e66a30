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
  /** Tabs share the cookie: who signs in or out in one of them does so in all. */
  #others = new BroadcastChannel('fm-session');
  /** The user who another tab said is here now, null for nobody; undefined once it was acted on. */
  #told: string | null | undefined;
  #entered = new Set<(sameUser: boolean) => void>();

  constructor() {
    watchRequests({
      unauthorized: () => {
        if (this.state === 'signedIn') this.state = 'expired';
      },
      reached: (answered) => connection.note(answered),
    });
    this.#others.onmessage = ({ data }: MessageEvent<string | null>) => {
      this.#told = data;
      this.#follow();
    };
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
    // What is asked now is newer than what was heard until now.
    this.#told = undefined;
    try {
      this.enter(await account.getMe());
    } catch (thrown) {
      const error = asApiError(thrown);
      if (error.status === 401) await this.#findDoor();
      else this.#fail(error);
    }
    this.#follow();
  }

  /** Goes where another tab went, once it is settled where this one is. */
  #follow(): void {
    const told = this.#told;
    if (told === undefined || this.state === 'starting') return;
    this.#told = undefined;
    if (this.state === 'signedIn') {
      if (told !== this.user?.id) this.start();
    } else if (told !== null) this.#look();
    else this.leaveExpired();
  }

  /** Follows whoever has come in at another tab; whatever stands in the way of that, what is being typed here stays. */
  async #look(): Promise<void> {
    const user = await account.getMe().catch(() => null);
    if (user && this.state !== 'signedIn' && this.state !== 'starting') this.enter(user);
  }

  async #findDoor(): Promise<void> {
    forgetSteps();
    this.user = null;
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
    this.#others.postMessage(user.id);
  }

  /** Asks whether the session still counts; a refusal is heard by the watcher of requests. */
  async check(): Promise<void> {
    await account.getMe().then(
      (user) => this.update(user),
      () => {},
    );
  }

  /** Whoever was here goes another way than back in. */
  leaveExpired(): void {
    if (this.state !== 'expired') return;
    forgetSteps();
    this.user = null;
    this.state = 'anonymous';
    this.needSetup().catch(() => {});
  }

  /** The same user, changed. */
  update(user: User): void {
    if (this.user?.id === user.id) this.user = user;
  }

  /** Whether, and how, accounts can be made; for screens that are shown before that is known. */
  async needSetup(): Promise<Setup> {
    this.setup ??= await account.getSetup();
    return this.setup;
  }

  async signOut(): Promise<void> {
    const left = await account.logout().catch((thrown) => {
      if (asApiError(thrown).status !== 401) throw thrown;
    });
    await this.ended();
    // the session of the identity provider goes on otherwise
    if (left) location.assign(left.endSession);
  }

  /** There is no session any more. */
  async ended(): Promise<void> {
    this.user = null;
    this.#lastUser = null;
    forgetSteps();
    this.#others.postMessage(null);
    this.state = 'anonymous';
    if (!this.setup) await this.#findDoor();
  }
}

export const session = new Session();
