import { session } from '$lib/state/session.svelte';

/** What somebody types to prove that the session is theirs: the password, and a code where they have a second factor. */
export class Proof {
  password = $state('');
  code = $state('');
  /** The code is one of the recovery codes. */
  recovery = $state(false);

  get twoSteps(): boolean {
    return session.user?.secondFactor ?? false;
  }

  get missing(): boolean {
    return !this.password || (this.twoSteps && !this.code.trim());
  }

  /** As the API takes it. */
  get given(): { password: string; totp?: string; recoveryCode?: string } {
    const { password } = this;
    if (!this.twoSteps) return { password };
    const typed = this.code.trim();
    return this.recovery ? { password, recoveryCode: typed } : { password, totp: typed.replace(/\s/g, '') };
  }

  other(): void {
    this.recovery = !this.recovery;
    this.code = '';
  }

  clear(): void {
    this.password = '';
    this.code = '';
  }
}

/** Answers that the fields of the proof show, each at its place. */
export const ABOUT_PROOF: ReadonlySet<string> = new Set(['wrong_password', 'invalid_second_factor']);
