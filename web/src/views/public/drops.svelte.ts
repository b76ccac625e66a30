import { explain } from '$lib/api/explain';
import { type ApiError, asApiError } from '$lib/api/problem';
import { dropUrl } from '$lib/api/public';
import type { Receipt } from '$lib/api/types';
import { backoffSeconds, LARGE } from '$lib/upload/queue';
import { type Sending, send } from '$lib/upload/send';

/** Files on their way at the same time. */
const PARALLEL = 2;
/** Attempts of its own before a large file is shown as failed. */
const ATTEMPTS = 5;

const resumable = () => import('$lib/upload/resumable');
const begun = () => import('./begun');

/** `paused` waits for the line, `unfinished` for the file, which the browser has forgotten since it was begun. */
export interface Drop {
  id: number;
  name: string;
  size: number;
  sent: number;
  state: 'waiting' | 'sending' | 'paused' | 'unfinished' | 'taken' | 'done' | 'failed' | 'cancelled';
  reason: string;
  receipt: Receipt | null;
}

interface Going {
  file: globalThis.File | null;
  /** Of which version of its file it was begun. */
  lastModified: number;
  folder: string | null;
  onConflict: 'fail' | 'rename' | 'replace';
  sending: Sending<Receipt> | null;
  /** The upload that can be gone on with, where it was begun as one. */
  uploadId: string | null;
  attempts: number;
}

/** Files that a visitor puts in by a link, each with a receipt: small ones in one request, large ones in as many as it takes. */
export class Drops {
  list = $state.raw<Drop[]>([]);
  busy = $derived(this.list.some(({ state }) => state === 'waiting' || state === 'sending' || state === 'paused'));
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
  ) {
    this.#recall();
  }

  add(files: globalThis.File[], folder: string | null): void {
    const added = files
      .filter((file) => !this.#adopt(file, folder))
      .map((file) => this.#place(file.name, file.size, { file, lastModified: file.lastModified, folder }));
    this.list = [...this.list, ...added];
    this.#pump();
  }

  /** Ends a drop; what has arrived of it goes. */
  cancel(id: number): void {
    this.#set(id, { state: 'cancelled', sent: 0 });
    const going = this.#going.get(id);
    going?.sending?.cancel();
    if (going?.uploadId) this.#discard(going.uploadId);
    // What nobody has the file of cannot be tried again.
    if (going && !going.file) this.list = this.list.filter((drop) => drop.id !== id);
    this.#pump();
  }

  /** Stops all that is on its way; what has arrived stays. */
  leave(): void {
    for (const { sending } of this.#going.values()) sending?.cancel();
    this.#going.clear();
  }

  /** Tries again, for a name that was taken as answered. */
  retry(id: number, onConflict?: Going['onConflict']): void {
    const going = this.#going.get(id);
    if (!going) return;
    if (onConflict) going.onConflict = onConflict;
    going.attempts = 0;
    this.#set(id, { state: 'waiting', reason: '', ...(going.uploadId ? {} : { sent: 0 }) });
    this.#pump();
  }

  /** What was refused for want of the password goes on when it was given. */
  goOn(): void {
    for (const drop of this.list) if (drop.state === 'failed') this.retry(drop.id);
    this.#recall();
  }

  #place(name: string, size: number, going: Pick<Going, 'file' | 'lastModified' | 'folder'>): Drop {
    const id = this.#next++;
    this.#going.set(id, { ...going, onConflict: this.onConflict, sending: null, uploadId: null, attempts: 0 });
    return { id, name, size, sent: 0, state: 'waiting', reason: '', receipt: null };
  }

  /** A file that was begun before, in this browser, and is here again: it goes on where it stands. */
  #adopt(file: globalThis.File, folder: string | null): boolean {
    const known = this.list.find((drop) => {
      const going = this.#going.get(drop.id);
      return (
        drop.state === 'unfinished' &&
        drop.name === file.name &&
        drop.size === file.size &&
        going?.lastModified === file.lastModified &&
        going.folder === folder
      );
    });
    const going = known && this.#going.get(known.id);
    if (!going) return false;
    going.file = file;
    this.#set(known.id, { state: 'waiting' });
    return true;
  }

  /** Shows what was left behind when the page was closed or lost. */
  async #recall(): Promise<void> {
    try {
      const { recall, forget } = await begun();
      const found = await recall(this.token, () => this.#uploads());
      // Begun or recalled meanwhile.
      const known = new Set(this.#uploads());
      for (const { upload, name, size, lastModified, folder } of found.filter((one) => !known.has(one.upload.id))) {
        const drop = this.#place(name, size, { file: null, lastModified, folder });
        const { receipt, offset: sent } = upload;
        // It arrived, and nobody heard of it.
        if (receipt) {
          this.#going.delete(drop.id);
          forget(upload.id);
        } else {
          const going = this.#going.get(drop.id);
          if (going) going.uploadId = upload.id;
        }
        this.list = [...this.list, { ...drop, sent, receipt, state: receipt ? 'done' : 'unfinished' }];
      }
    } catch {
      // Not shown then; they are there when the page comes the next time.
    }
  }

  #uploads(): string[] {
    return [...this.#going.values()].flatMap(({ uploadId }) => (uploadId ? [uploadId] : []));
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
    try {
      const sending = await this.#send(id, going);
      if (!sending) return;
      going.sending = sending;
      const receipt = await sending.done;
      this.#set(id, { state: 'done', sent: receipt.size, receipt });
      if (going.uploadId) (await begun()).forget(going.uploadId);
      this.#going.delete(id);
      this.arrived();
    } catch (thrown) {
      this.#failed(id, going, asApiError(thrown));
    } finally {
      this.#pump();
    }
  }

  /** Null if nobody wants it any more by the time that it could begin. */
  async #send(id: number, going: Going): Promise<Sending<Receipt> | null> {
    const { file, folder, onConflict, uploadId, lastModified } = going;
    const drop = this.#get(id);
    if (!drop) return null;
    const progress = (sent: number) => {
      // A line that carried something is no failing one, however often it breaks.
      if (going.uploadId && sent > (this.#get(id)?.sent ?? 0)) going.attempts = 0;
      this.#set(id, { sent });
    };
    if (file && !uploadId && file.size < LARGE)
      return send<Receipt>(dropUrl(this.token, folder, file, onConflict), file, progress);
    // What keeps the place is there before the first byte: later the line may be cut.
    const [{ byLink, sendResumable }, { remember, forget }] = await Promise.all([resumable(), begun()]);
    if (this.#get(id)?.state !== 'sending' || !this.#going.has(id)) return null;
    const { name, size } = drop;
    return sendResumable(
      byLink(this.token),
      file,
      { uploadId, folder: folder ?? 'root', name, size, onConflict },
      {
        progress,
        begun: (upload) => {
          if (going.uploadId) forget(going.uploadId);
          going.uploadId = upload;
          if (!upload) return;
          // Cancelled while it was being begun: nobody would ever go on with it.
          if (this.#get(id)?.state === 'cancelled') this.#discard(upload);
          else remember(upload, { token: this.token, folder, name, size, lastModified });
        },
      },
    );
  }

  #failed(id: number, going: Going, error: ApiError): void {
    if (error.cause === 'cancelled') return;
    going.attempts += 1;
    if (error.code === 'name_taken') {
      this.#set(id, { state: 'taken', sent: 0 });
    } else if (error.passing && going.attempts < ATTEMPTS && (this.#get(id)?.size ?? 0) >= LARGE) {
      this.#set(id, { state: 'paused', reason: explain(error) });
      const resume = () => {
        if (this.#get(id)?.state !== 'paused') return;
        this.#set(id, { state: 'waiting', reason: '' });
        this.#pump();
      };
      setTimeout(resume, backoffSeconds(going.attempts, error.retryAfter) * 1000);
    } else {
      this.#set(id, { state: 'failed', reason: explain(error) });
      this.refused(error);
    }
  }

  #discard(uploadId: string): void {
    for (const going of this.#going.values()) if (going.uploadId === uploadId) going.uploadId = null;
    Promise.all([resumable(), begun()])
      .then(([{ discardByLink }, { forget }]) => {
        forget(uploadId);
        return discardByLink(this.token, uploadId);
      })
      // It expires by itself if it could not be ended.
      .catch(() => {});
  }

  #get(id: number): Drop | undefined {
    return this.list.find((drop) => drop.id === id);
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
