import type { File } from '$lib/api/types';
import type { Failure } from '$lib/files/batch';

export type DialogRequest =
  | {
      kind: 'confirm';
      title: string;
      text: string;
      act: string;
      tone: 'danger' | 'plain';
      answer: (yes: boolean) => void;
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
}

export const dialogs = new DialogState();
