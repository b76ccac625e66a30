import { getFile } from '$lib/api/files';
import { type ApiError, asApiError, unheard } from '$lib/api/problem';
import { uploadUrl } from '$lib/api/urls';
import { usage } from '$lib/state/usage.svelte';
import type { Again } from './again.svelte';
import { fileOf, sendBundle } from './bundle';
import { type Event, goesOn, type Item } from './queue';
import { type Sending, send, timeOf } from './send';

const resumable = () => import('./resumable');

/** Those whose uploads are sent. */
interface Desk {
  get(id: number): Item | undefined;
  bodyOf(id: number): globalThis.File | undefined;
  event(id: number, event: Event): void;
}

/** The file that an upload has become; `found` if it was there already, by an attempt before. */
export type Arrived = { id: string; found?: true };

/** Sends uploads, and knows what may have arrived although nobody heard of it. Uploads go by their numbers. */
export class Sender {
  #sendings = new Map<number, Sending<unknown> | null>();
  /** Of which an attempt may have arrived although nobody heard of it. */
  #unheard = new Set<number>();

  constructor(
    readonly desk: Desk,
    readonly again: Again,
  ) {}

  /** Whether it is being sent, or that is still ending. */
  has(id: number): boolean {
    return this.#sendings.has(id);
  }

  begin(id: number): void {
    this.#sendings.set(id, null);
  }

  end(id: number): void {
    this.#sendings.delete(id);
  }

  /** Stops what is sent, and what goes with it. It may be there all the same. */
  stop(id: number): void {
    this.#sendings.get(id)?.cancel();
  }

  stopAll(): void {
    for (const sending of this.#sendings.values()) sending?.cancel();
  }

  /** To be told before its state changes: what is left while it is being sent may be there all the same. */
  leave(id: number): void {
    if (this.#wanted(id)) this.#unheard.add(id);
  }

  /** Sends uploads into a folder by one request. What becomes of each; null where nobody wants it any more by the time that it could begin. */
  async send(items: readonly Item[], folder: string): Promise<(Promise<Arrived> | null)[]> {
    const [first] = items;
    if (!first) return [];
    if (items.length > 1) return this.#together(items, folder);
    const sending = await this.#alone(first, folder);
    if (!sending) return [];
    this.#sendings.set(first.id, sending);
    return [this.#outcome(first.id, sending.done)];
  }

  /** Ends an upload that was begun on the server; what has arrived of it goes. */
  discard(uploadId: string): void {
    resumable()
      .then(({ discard }) => discard(uploadId))
      // It expires by itself if it could not be ended.
      .catch(() => {})
      .finally(() => usage.changed());
  }

  #wanted(id: number): boolean {
    return this.desk.get(id)?.state === 'sending';
  }

  async #outcome(id: number, done: Promise<Arrived>): Promise<Arrived> {
    const body = this.desk.bodyOf(id);
    const file = await done.catch((thrown) => this.#before(id, body, asApiError(thrown)));
    this.#unheard.delete(id);
    return file;
  }

  /**
   * The file of an attempt before, whose answer was lost: what is in the way then is what was sent.
   *
   * @throws ApiError what was refused, if it is none
   */
  async #before(id: number, body: globalThis.File | undefined, error: ApiError): Promise<Arrived> {
    if (unheard(error)) this.#unheard.add(id);
    const { existingId } = error;
    if (error.code !== 'name_taken' || !existingId || !body || !this.#unheard.has(id)) throw error;
    const [{ isSame }, there] = await Promise.all([import('./same'), getFile(existingId)]).catch(() => {
      // Then it is asked.
      throw error;
    });
    if (there.type === 'file' && (await isSame(body, there))) return { id: existingId, found: true };
    throw error;
  }

  #together(items: readonly Item[], folder: string): (Promise<Arrived> | null)[] {
    const going = items.flatMap((item) => {
      const body = this.#wanted(item.id) && this.desk.bodyOf(item.id);
      return body ? [{ ...item, body }] : [];
    });
    const [first] = going;
    if (!first) return [];
    const sending = sendBundle(folder, first.onConflict, going, (sent) => {
      for (const [at, { id }] of going.entries()) this.desk.event(id, { type: 'progress', sent: sent[at] ?? 0 });
    });
    return items.map(({ id }) => {
      const at = going.findIndex((one) => one.id === id);
      if (at < 0) return null;
      this.#sendings.set(id, sending);
      const done = sending.done.then((outcomes) => fileOf(outcomes[at]));
      return this.#outcome(id, done);
    });
  }

  async #alone(item: Item, folder: string): Promise<Sending<{ id: string }> | null> {
    const { id, name, size, onConflict, uploadId } = item;
    const body = this.desk.bodyOf(id);
    const progress = (sent: number) => this.desk.event(id, { type: 'progress', sent });
    // Under another name a repetition would not meet itself: what keeps its place knows what became of it.
    const kept = goesOn(item) || (onConflict === 'rename' && size > 0);
    if (!uploadId && body && !kept) {
      if (!this.#wanted(id)) return null;
      return send(uploadUrl(folder, name, onConflict, timeOf(body)), body, progress);
    }
    // What keeps the place is there before the first byte: later the line may be cut.
    const [{ own, sendResumable }] = await Promise.all([resumable(), this.again.ready()]);
    if (!this.#wanted(id)) return null;
    return sendResumable(
      own,
      body ?? null,
      { uploadId, folder, name, size, onConflict },
      {
        progress,
        begun: (begun) => {
          // Cancelled while it was being begun: nobody would ever go on with it.
          if (begun && this.desk.get(id)?.state === 'cancelled') this.discard(begun);
          else this.desk.event(id, { type: 'begun', uploadId: begun });
          if (begun && body) this.again.remember(id, begun, body);
        },
      },
    );
  }
}
