import type { File } from '$lib/api/types';
import type { Failure } from '$lib/files/batch';
import { whoActs } from './undo';

/** What somebody brings once more, to prove that the session is theirs. */
export interface Proof {
  password: string;
  totp?: string;
  recoveryCode?: string;
}

export type DialogRequest =
  | {
      kind: 'confirm';
      title: string;
      text: string;
      act: string;
      tone: 'danger' | 'plain';
      answer: (yes: boolean) => void;
    }
  | {
      kind: 'proof';
      title: string;
      text: string;
      act: string;
      tone: 'danger' | 'plain';
      run: (proof: Proof) => Promise<void>;
      cancelled: () => void;
    }
  | { kind: 'newFolder'; parentId: string; parentName: string }
  | { kind: 'move' | 'copy'; files: File[] }
  | { kind: 'tags'; files: File[] }
  | { kind: 'failed'; failed: Failure[] }
  | { kind: 'share'; file: Pick<File, 'id' | 'name' | 'type'> }
  | { kind: 'help' };

/** One dialog at a time, drawn by Dialogs. */
class DialogState {
  request = $state.raw<DialogRequest | null>(null);

  open(request: DialogRequest): void {
    this.request = request;
  }

  close(): void {
    this.request = null;
  }

  /** A plain question about something that cannot be taken back. */
  confirm(question: { title: string; text: string; act: string; tone?: 'danger' | 'plain' }): Promise<boolean> {
    return new Promise((resolve) => {
      this.open({ kind: 'confirm', tone: 'danger', ...question, answer: resolve });
    });
  }

  /**
   * A question about something that outlives the session: it wants the password, and the second factor. What `run` makes of them; null if nothing was done, or
   * whoever was asked has left meanwhile.
   * What `run` throws stands in the dialog, which stays open.
   */
  prove<T>(
    question: { title: string; text: string; act: string; tone?: 'danger' | 'plain' },
    run: (proof: Proof) => Promise<T>,
  ): Promise<T | null> {
    return new Promise((resolve) => {
      this.open({
        kind: 'proof',
        tone: 'danger',
        ...question,
        run: async (proof) => {
          const here = whoActs();
          const made = await run(proof);
          resolve(here() ? made : null);
        },
        cancelled: () => resolve(null),
      });
    });
  }
}

export const dialogs = new DialogState();
