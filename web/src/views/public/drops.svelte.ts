import { explain } from '$lib/api/explain';
import { type ApiError, asApiError, unheard } from '$lib/api/problem';
import { dropUrl } from '$lib/api/public';
import type { Receipt } from '$lib/api/types';
import { t } from '$lib/i18n';
import { connection } from '$lib/state/connection.svelte';
import { readable } from '$lib/upload/again.svelte';
import { backoffSeconds } from '$lib/upload/queue';
import { Reading } from '$lib/upload/reading.svelte';
import { type Sending, send } from '$lib/upload/send';

/** Files on their way at the same time. */
const PARALLEL = 2;
/** Attempts of its own before a file is shown as failed. While the line is away none is used up. */
const ATTEMPTS = 8;
/**
 * From this size on a file goes as an upload that can be gone on with, which says what became of it whatever answer is lost.
 * Below, three requests for one would cost more than they save: whoever sent the file is asked instead. In bytes.
 */
const RESUMED = 256 * 1024;
/** How often what happened is shown. */
const SHOW_MS = 80;

const resumable = () => import('$lib/upload/resumable');
const begun = () => import('./begun');

/**
 * `paused` waits for the line, `unfinished` for the file, which the browser has forgotten since it was begun; `unsure` for an
 * answer of the visitor: all of it had left when the line broke, so it may be there already.
 */
export interface Drop {
  id: number;
  name: string;
  size: number;
  sent: number;
  state: 'waiting' | 'sending' | 'paused' | 'unfinished' | 'unsure' | 'taken' | 'done' | 'failed' | 'cancelled';
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

/**
 * Files that a visitor puts in by a link, each with a receipt: small ones in one request, others in as many as it takes. What
 * is shown (`list`) follows what is so (`#list`) a moment later.
 */
export class Drops {
  list = $state.raw<Drop[]>([]);
  /** What was dropped and is being read. */
  readonly reading = new Reading();
  busy = $derived(this.list.some(({ state }) => state === 'waiting' || state === 'sending' || state === 'paused'));
  receipts = $derived(this.list.flatMap((drop) => (drop.receipt ? [drop.receipt] : [])));
  failed = $derived(this.list.filter(({ state }) => state === 'failed').length);
  #list: Drop[] = [];
  #at = new Map<number, number>();
  #going = new Map<number, Going>();
  #waiting: number[] = [];
  #flying = 0;
  #next = 1;
  /** Refusals in a row that may pass: all wait longer and longer, whichever file they met. */
  #misses = 0;
  #pause: ReturnType<typeof setTimeout> | null = null;
  #show: ReturnType<typeof setTimeout> | null = null;

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
      .map((file) => this.#make(file.name, file.size, { file, lastModified: file.lastModified, folder }));
    this.#place([...this.#list, ...added]);
    for (const { id } of added) this.#waiting.push(id);
    this.#pump();
  }

  /** Ends a drop; what has arrived of it goes. */
  cancel(id: number): void {
    const one = this.#get(id);
    // All of it has left: nobody can say any more that it will not be there.
    const late = one?.state === 'unsure' || (one?.state === 'sending' && one.sent >= one.size);
    this.#set(id, { state: 'cancelled', sent: 0, reason: late ? t('drop.cancelledLate') : '' });
    const going = this.#going.get(id);
    going?.sending?.cancel();
    if (going?.uploadId) this.#discard(going.uploadId);
    // What nobody has the file of cannot be tried again.
    if (going && !going.file) this.#place(this.#list.filter((drop) => drop.id !== id));
    this.#pump();
    this.#showNow();
  }

  /** Stops all that is on its way; what has arrived stays. */
  leave(): void {
    this.reading.cancel();
    for (const { sending } of this.#going.values()) sending?.cancel();
    this.#going.clear();
    this.#waiting = [];
    if (this.#pause) clearTimeout(this.#pause);
    if (this.#show) clearTimeout(this.#show);
  }

  /** Tries all that failed once more. */
  retryFailed(): void {
    for (const { id, state } of this.#list) if (state === 'failed') this.#again(id);
    this.#pump();
    this.#showNow();
  }

  /** Tries again, for a name that was taken as answered. */
  retry(id: number, onConflict?: Going['onConflict']): void {
    this.#again(id, onConflict);
    this.#pump();
    // At once: a button that stands a moment longer would take what is meant for the next.
    this.#showNow();
  }

  #again(id: number, onConflict?: Going['onConflict']): void {
    const going = this.#going.get(id);
    if (!going) return;
    if (onConflict) going.onConflict = onConflict;
    going.attempts = 0;
    this.#set(id, { state: 'waiting', reason: '', ...(going.uploadId ? {} : { sent: 0 }) });
  }

  /** What was refused for want of the password goes on when it was given. */
  goOn(): void {
    this.retryFailed();
    this.#recall();
  }

  #make(name: string, size: number, going: Pick<Going, 'file' | 'lastModified' | 'folder'>): Drop {
    const id = this.#next++;
    this.#going.set(id, { ...going, onConflict: this.onConflict, sending: null, uploadId: null, attempts: 0 });
    return { id, name, size, sent: 0, state: 'waiting', reason: '', receipt: null };
  }

  /** A file that was begun before, in this browser, and is here again: it goes on where it stands. */
  #adopt(file: globalThis.File, folder: string | null): boolean {
    const known = this.#list.find((drop) => {
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
        const drop = this.#make(name, size, { file: null, lastModified, folder });
        const { receipt, offset: sent } = upload;
        // It arrived, and nobody heard of it.
        if (receipt) {
          this.#going.delete(drop.id);
          forget(upload.id);
        } else {
          const going = this.#going.get(drop.id);
          if (going) going.uploadId = upload.id;
        }
        this.#place([...this.#list, { ...drop, sent, receipt, state: receipt ? 'done' : 'unfinished' }]);
      }
    } catch {
      // Not shown then; they are there when the page comes the next time.
    }
  }

  #uploads(): string[] {
    return [...this.#going.values()].flatMap(({ uploadId }) => (uploadId ? [uploadId] : []));
  }

  #pump(): void {
    while (this.#flying < PARALLEL && !connection.lost && !this.#pause) {
      const id = this.#waiting.shift();
      if (id === undefined) return;
      if (this.#get(id)?.state === 'waiting') this.#run(id);
    }
    if (connection.lost && this.#waiting.length > 0) connection.whenBack(this.#goOn);
  }

  #goOn = (): void => this.#resume();

  /** Nothing begins before that. */
  #wait(seconds: number): void {
    if (this.#pause) clearTimeout(this.#pause);
    this.#pause = setTimeout(() => this.#resume(), seconds * 1000);
  }

  #resume(): void {
    if (this.#pause) clearTimeout(this.#pause);
    this.#pause = null;
    for (const { id, state } of this.#list) if (state === 'paused') this.#set(id, { state: 'waiting', reason: '' });
    this.#pump();
  }

  async #run(id: number): Promise<void> {
    const going = this.#going.get(id);
    if (!going) return;
    this.#flying += 1;
    this.#set(id, { state: 'sending' });
    try {
      const sending = await this.#send(id, going);
      if (!sending) return;
      going.sending = sending;
      const receipt = await sending.done;
      this.#misses = 0;
      connection.note(true);
      this.#set(id, { state: 'done', sent: receipt.size, receipt });
      if (going.uploadId) (await begun()).forget(going.uploadId);
      this.#going.delete(id);
      this.arrived();
    } catch (thrown) {
      await this.#failed(id, going, asApiError(thrown));
    } finally {
      this.#flying -= 1;
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
    if (file && !uploadId && file.size < RESUMED)
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

  async #failed(id: number, going: Going, error: ApiError): Promise<void> {
    if (error.cause === 'cancelled') return;
    // A file that was changed or taken away since looks like a lost line.
    const gone = error.cause === 'offline' && !(await readable(going.file ?? undefined));
    if (!gone) connection.note(error.cause !== 'offline');
    const drop = this.#get(id);
    if (drop?.state !== 'sending') return;
    // Who was told when to come again has not failed.
    if (error.status !== 429) going.attempts += 1;
    // A hop that waited for the answer had all of it; what keeps its place says later what became of it.
    const left = error.cause === 'hop' || drop.sent >= drop.size;
    const unsure = unheard(error) && left && !going.uploadId && drop.size < RESUMED;
    if (error.code === 'name_taken') {
      this.#set(id, { state: 'taken', sent: 0 });
    } else if (gone) {
      this.#set(id, { state: 'failed', reason: t('drop.changed') });
    } else if (unsure) {
      this.#hold(error);
      this.#set(id, { state: 'unsure', reason: t('drop.unsure') });
    } else if (error.passing && going.attempts < ATTEMPTS) {
      this.#set(id, { state: 'paused', reason: explain(error), ...(going.uploadId ? {} : { sent: 0 }) });
      this.#hold(error);
    } else {
      this.#set(id, { state: 'failed', reason: explain(error) });
      this.refused(error);
    }
  }

  /** What met one file meets all: they wait for the line, or for as long as was asked. */
  #hold(error: ApiError): void {
    if (error.status === 429 && error.retryAfter !== null) {
      this.#wait(error.retryAfter);
      return;
    }
    this.#misses += 1;
    if (connection.lost) connection.whenBack(this.#goOn);
    else this.#wait(backoffSeconds(this.#misses, error.retryAfter));
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
    return this.#list[this.#at.get(id) ?? -1];
  }

  #set(id: number, change: Partial<Drop>): void {
    const at = this.#at.get(id);
    const drop = this.#get(id);
    if (at === undefined || !drop) return;
    // Bytes of what was cancelled may still be reported.
    if (change.state === undefined && drop.state !== 'sending') return;
    if (drop.state === 'cancelled' && change.state !== 'waiting') return;
    this.#list[at] = { ...drop, ...change };
    if (change.state === 'waiting') this.#waiting.push(id);
    this.#show ??= setTimeout(() => this.#showNow(), SHOW_MS);
  }

  #place(list: Drop[]): void {
    this.#list = list;
    this.#at = new Map(list.map((drop, at) => [drop.id, at]));
    this.#showNow();
  }

  #showNow(): void {
    if (this.#show) clearTimeout(this.#show);
    this.#show = null;
    this.list = [...this.#list];
  }
}
