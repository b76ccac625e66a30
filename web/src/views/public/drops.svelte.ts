import { explain } from '$lib/api/explain';
import { type ApiError, asApiError } from '$lib/api/problem';
import { dropUrl } from '$lib/api/public';
import type { Receipt } from '$lib/api/types';
import { type Sending, send } from '$lib/upload/send';

/** Files on their way at the same time. */
const PARALLEL = 2;

export interface Drop {
  id: number;
  name: string;
  size: number;
  sent: number;
  state: 'waiting' | 'sending' | 'taken' | 'done' | 'failed' | 'cancelled';
  reason: string;
  receipt: Receipt | null;
}

interface Going {
  file: globalThis.File;
  folder: string | null;
  onConflict: 'fail' | 'rename' | 'replace';
  sending: Sending<Receipt> | null;
}

/** Files that a visitor puts in by a link, each in one request, each with a receipt. */
export class Drops {
  list = $state.raw<Drop[]>([]);
  busy = $derived(this.list.some((drop) => drop.state === 'waiting' || drop.state === 'sending'));
  receipts = $derived(this.list.flatMap((drop) => (drop.receipt ? [drop.receipt] : [])));
  #going = new Map<number, Going>();
  #next = 1;

  constructor(
    readonly token: string,
    /** What to do about a name that is taken: whoever sees names is asked. */
    readonly onConflict: 'fail' | 'rename',
    readonly arrived: () => void,
    /** A refusal that concerns the link; true if it was dealt with. */
    readonly refused: (error: ApiError) => boolean,
  ) {}

  add(files: globalThis.File[], folder: string | null): void {
    const added = files.map((file): Drop => {
      const id = this.#next++;
      this.#going.set(id, { file, folder, onConflict: this.onConflict, sending: null });
      return { id, name: file.name, size: file.size, sent: 0, state: 'waiting', reason: '', receipt: null };
    });
    this.list = [...this.list, ...added];
    this.#pump();
  }

  cancel(id: number): void {
    this.#set(id, { state: 'cancelled', sent: 0 });
    this.#going.get(id)?.sending?.cancel();
    this.#pump();
  }

  /** Tries again, for a name that was taken as answered. */
  retry(id: number, onConflict?: Going['onConflict']): void {
    const going = this.#going.get(id);
    if (going && onConflict) going.onConflict = onConflict;
    this.#set(id, { state: 'waiting', sent: 0, reason: '' });
    this.#pump();
  }

  /** What was refused for want of the password goes on when it was given. */
  goOn(): void {
    for (const drop of this.list) if (drop.state === 'failed') this.retry(drop.id);
  }

  #pump(): void {
    while (this.list.filter((drop) => drop.state === 'sending').length < PARALLEL) {
      const drop = this.list.find((one) => one.state === 'waiting');
      if (!drop) return;
      this.#run(drop.id);
    }
  }

  async #run(id: number): Promise<void> {
    const going = this.#going.get(id);
    if (!going) return;
    this.#set(id, { state: 'sending' });
    const url = dropUrl(this.token, going.folder, going.file, going.onConflict);
    going.sending = send<Receipt>(url, going.file, (sent) => this.#set(id, { sent }));
    try {
      const receipt = await going.sending.done;
      this.#set(id, { state: 'done', sent: going.file.size, receipt });
      this.#going.delete(id);
      this.arrived();
    } catch (thrown) {
      const error = asApiError(thrown);
      if (error.code === 'name_taken') this.#set(id, { state: 'taken', sent: 0 });
      else if (error.cause !== 'cancelled') {
        this.#set(id, { state: 'failed', sent: 0, reason: explain(error) });
        this.refused(error);
      }
    }
    this.#pump();
  }

  #set(id: number, change: Partial<Drop>): void {
    this.list = this.list.map((drop) => {
      if (drop.id !== id) return drop;
      // Bytes of what was cancelled may still be reported.
      if (change.state === undefined && drop.state !== 'sending') return drop;
      if (drop.state === 'cancelled' && change.state !== 'waiting') return drop;
      return { ...drop, ...change };
    });
  }
}
