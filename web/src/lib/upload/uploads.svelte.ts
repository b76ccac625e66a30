import { reportOutcome } from '$lib/api/client';
import { explain } from '$lib/api/explain';
import { type ApiError, asApiError } from '$lib/api/problem';
import { t } from '$lib/i18n';
import { formatSize } from '$lib/i18n/format';
import { folderChanged } from '$lib/listing/listing.svelte';
import { connection } from '$lib/state/connection.svelte';
import { jobs } from '$lib/state/jobs.svelte';
import { session } from '$lib/state/session.svelte';
import { toasts } from '$lib/state/toasts.svelte';
import { whoActs } from '$lib/state/undo';
import { usage } from '$lib/state/usage.svelte';
import { Again, readable } from './again.svelte';
import { refusals } from './early';
import type { Harvest } from './entries';
import { Folders } from './folders';
import { Meter } from './meter.svelte';
import { backoffSeconds, blank, type Event, type Item, isFinished, isOpen, LARGE, step, totalsOf } from './queue';
import { type Arrived, Sender } from './sender';
import type { Target } from './target';
import { Waiting } from './waiting';

/** Requests at the same time: enough to fill a line, few enough to leave the page its connections. */
const PARALLEL = 3;
/** Attempts of its own before an upload is shown as failed. */
const ATTEMPTS = 5;
/** How often what happened is shown. A thousand small files finish faster than anyone can look. */
const SHOW_MS = 80;

type Answer = 'rename' | 'replace' | 'skip';

/** On its way, or waiting for the reader. */
const isWanted = (item: Item): boolean => isOpen(item) || item.state === 'conflict' || item.state === 'held';

/** Everything that is on its way up. What is shown (`items`) follows what is so (`#list`) a moment later. */
class Uploads {
  items = $state.raw<Item[]>([]);
  /** Speed and time left of all together. */
  readonly meter = new Meter(() => totalsOf(this.#list));
  trayOpen = $state(true);

  totals = $derived.by(() => totalsOf(this.items));
  active = $derived(this.totals.open > 0);
  conflicts = $derived(this.items.filter((item) => item.state === 'conflict'));

  #list: Item[] = [];
  #at = new Map<number, number>();
  #bodies = new Map<number, globalThis.File>();
  #again = new Again();
  #waiting = new Waiting();
  #sender = new Sender(
    { get: (id) => this.#get(id), bodyOf: (id) => this.#bodies.get(id), event: (id, event) => this.#event(id, event) },
    this.#again,
  );
  /** Requests under way. */
  #lines = 0;
  #folders = new Folders();
  #openCount = 0;
  #nextId = 1;
  #batch = 0;
  /** By the number of the batch. */
  #answers = new Map<number, Answer>();
  #show: ReturnType<typeof setTimeout> | null = null;

  constructor() {
    addEventListener('beforeunload', (event) => {
      if (this.#list.some(isWanted)) event.preventDefault();
    });
    session.onEnter((sameUser) => {
      if (sameUser) this.#resumeAll();
      else this.clearAll();
      this.#recall();
    });
    // All of this comes after the first sight: whoever is here was here before it.
    if (session.state === 'signedIn') this.#recall();
  }

  add(harvest: Harvest, target: Target): void {
    const { files, emptyFolders, unreadable } = harvest;
    if (target.closed) {
      toasts.error(t('folder.viewOnly.long'));
      return;
    }
    if (unreadable.length > 0)
      toasts.error(t('upload.unreadable', { count: unreadable.length, name: unreadable[0] ?? '' }));
    if (emptyFolders.length > 0) this.#makeEmpty(target, emptyFolders);
    if (files.length === 0) return;
    // A new batch begins where the last one has ended: its finished rows make room.
    if (this.#openCount === 0) this.#keep((item) => !isFinished(item));
    const batch = ++this.#batch;
    const fresh = files.filter(({ file, path }) => !this.#adopt(file, path, target));
    const added = fresh.map(({ file, path, handle }): Item => {
      const id = this.#nextId++;
      if (handle && file.size >= LARGE) this.#again.dropped(id, handle);
      this.#bodies.set(id, file);
      const { name, size } = file;
      return { ...blank, id, batch, name, path, folderId: target.id, folderName: target.name, size };
    });
    this.#openCount += added.length;
    this.#place([...this.#list, ...added]);
    for (const item of added) this.#waiting.push(item.id);
    this.trayOpen = true;
    // Of the room in somebody else's folders nothing is known here.
    if (usage.limits && !target.foreign)
      for (const [id, reason] of refusals(added, usage.limits)) this.#event(id, { type: 'fail', reason });
    this.#pump();
  }

  retry(id: number): void {
    this.#event(id, { type: 'retry' });
    this.#pump();
  }

  retryFailed(): void {
    for (const item of this.#list) if (item.state === 'failed') this.#event(item.id, { type: 'retry' });
    this.#pump();
  }

  /** Ends an upload; what has arrived of it goes. */
  cancel(id: number): void {
    const { uploadId: begun = null, state, sent = 0, size = 0 } = this.#get(id) ?? {};
    const late = state === 'sending' && sent >= size && size > 0;
    this.#sender.leave(id);
    this.#event(id, { type: 'cancel', reason: late ? t('tray.cancelledLate') : '' });
    this.#sender.stop(id);
    if (begun) this.#sender.discard(begun);
    this.#pump();
  }

  /** Stops a file until it is released; what has arrived of a large one stays. */
  hold(id: number): void {
    this.#sender.leave(id);
    this.#event(id, { type: 'hold' });
    this.#sender.stop(id);
    this.#pump();
  }

  release(id: number): void {
    this.#event(id, { type: 'release' });
    this.#pump();
  }

  holdAll(): void {
    for (const item of this.#list) if (isOpen(item)) this.hold(item.id);
  }

  releaseAll(): void {
    for (const item of this.#list) if (item.state === 'held') this.release(item.id);
  }

  /** Whether the browser knows where the file of an unfinished upload is. */
  findsAgain(id: number): boolean {
    return this.#again.knows(id);
  }

  /** Whether another device has begun an unfinished upload, and may be sending it still. */
  begunElsewhere(id: number): boolean {
    return this.#again.isForeign(id);
  }

  /** Whether somebody is sending an unfinished upload right now. Takes some seconds where another device has begun it. */
  async movesElsewhere(id: number): Promise<boolean> {
    const uploadId = this.#get(id)?.uploadId;
    if (!uploadId || !this.begunElsewhere(id)) return false;
    const { moves } = await import('./unfinished');
    // Without a line nothing is ended or taken over either.
    return moves(uploadId).catch(() => false);
  }

  /** Goes on with an unfinished upload whose file the browser finds again; with `ask` it may ask the reader first. */
  async findAgain(id: number, ask: boolean): Promise<void> {
    if (!this.#again.knows(id)) return;
    const file = await this.#again.find(id, ask);
    if (file) this.giveFile(id, file);
    else if (ask) toasts.error(t('tray.againFailed'));
  }

  /** Goes on with an upload that has lost its file; gives false if this cannot be it. */
  giveFile(id: number, file: globalThis.File): boolean {
    const item = this.#get(id);
    if (item?.state !== 'unfinished') return false;
    if (file.size !== item.size) {
      toasts.error(
        t('upload.otherSize', { name: file.name, size: formatSize(file.size), wanted: formatSize(item.size) }),
      );
      return false;
    }
    this.#bodies.set(id, file);
    this.release(id);
    return true;
  }

  cancelAll(): void {
    for (const item of this.#list) if (isWanted(item)) this.cancel(item.id);
  }

  /** Answers a conflict; with `forAll` also those that stand now, and those that come later of what was given with it. */
  resolve(id: number, answer: Answer, forAll: boolean): void {
    const ids = forAll ? this.#list.filter((item) => item.state === 'conflict').map((item) => item.id) : [id];
    for (const one of ids) this.#event(one, { type: 'resolve', with: answer });
    const batch = this.#get(id)?.batch;
    if (forAll && batch !== undefined && this.#openCount > 0) this.#answers.set(batch, answer);
    // At once: a question that stands a moment longer would take the key or click that is meant for what comes next.
    this.#showNow();
    this.#pump();
  }

  /** What was given to us under this number, while it is still wanted. */
  bodyOf(id: number): globalThis.File | undefined {
    return this.#bodies.get(id);
  }

  /** Takes finished rows away; what failed or waits for an answer stays. */
  clearFinished(): void {
    this.#keep((item) => !isFinished(item));
  }

  /** Takes the row of something away that is done with. */
  forget(id: number): void {
    this.#keep((item) => item.id !== id || !isFinished(item));
  }

  /** Takes every row away that is not on its way. */
  dismiss(): void {
    this.#keep(isWanted);
  }

  clearAll(): void {
    this.#sender.stopAll();
    this.#folders.clear();
    this.#waiting.clear();
    this.#keep(() => false);
    this.meter.run(this.#openCount > 0);
  }

  async #makeEmpty(target: Target, paths: string[]): Promise<void> {
    const here = whoActs();
    try {
      for (const path of paths) {
        await this.#folders.make(target.id, path);
        if (!here()) return;
      }
      toasts.show(t('upload.foldersMade', { count: paths.length }));
    } catch (thrown) {
      if (here()) toasts.error(explain(asApiError(thrown)));
    }
  }

  #pump(): void {
    while (this.#lines < PARALLEL && !connection.lost && session.state === 'signedIn') {
      const items = this.#waiting.take(this.#ready, PARALLEL);
      if (items.length === 0) break;
      this.#run(items);
    }
    if (this.#openCount === 0) {
      this.#answers.clear();
      this.#folders.clear();
    }
    if (connection.lost) connection.whenBack(this.#goOn);
    this.meter.run(this.#openCount > 0);
  }

  #goOn = (): void => this.#pump();

  /** Whether one can be sent now. Without its file only an upload of which all has arrived can be finished. */
  #ready = (id: number): Item | null => {
    const item = this.#get(id);
    const can = item?.state === 'waiting' && (item.uploadId !== null || this.#bodies.has(id));
    return can && !this.#sender.has(id) ? item : null;
  };

  async #run(items: Item[]): Promise<void> {
    const [first] = items;
    if (!first) return;
    this.#lines += 1;
    for (const { id } of items) {
      this.#sender.begin(id);
      this.#event(id, { type: 'start' });
    }
    let folder = first.folderId;
    let done: (Promise<Arrived> | null)[];
    try {
      if (first.path) folder = await this.#folders.make(first.folderId, first.path);
      done = await this.#sender.send(items, folder);
    } catch (thrown) {
      done = items.map(() => Promise.reject(thrown));
    }
    const together = items.length > 1;
    try {
      await Promise.all(items.map((item, at) => this.#settle(item, folder, done[at] ?? null, together)));
    } finally {
      this.#lines -= 1;
      this.#pump();
    }
  }

  /** Follows one to its end. */
  async #settle(item: Item, folder: string, done: Promise<Arrived> | null, together: boolean): Promise<void> {
    const { id } = item;
    try {
      if (!done) return;
      const file = await done;
      reportOutcome(null);
      const spare = file.found && this.#get(id)?.uploadId;
      // It would keep its room of the quota until it expires.
      if (spare) this.#sender.discard(spare);
      this.#event(id, { type: 'succeed', fileId: file.id, found: file.found ?? false });
      // Whoever has stopped it meanwhile may want it again.
      if (this.#get(id)?.state === 'done') this.#bodies.delete(id);
      folderChanged(folder, this.#folders.above(folder), item.folderId);
      usage.changed();
      jobs.poke();
    } catch (thrown) {
      const error = asApiError(thrown);
      if (error.cause === 'cancelled') {
        // Another one that went with it was stopped.
        if (together) this.#sendAgain(id);
      } else if (together && (error.status === 405 || (error.status === 413 && error.cause === 'hop'))) {
        // An older server, or a proxy that lets no such bodies pass: then they go one by one.
        this.#waiting.bundles = false;
        this.#sendAgain(id);
      } else {
        reportOutcome(error);
        await this.#failed(item, error);
      }
    } finally {
      this.#sender.end(id);
      // Tried again while its old sending was still ending: its turn comes now.
      if (this.#get(id)?.state === 'waiting') this.#waiting.push(id);
    }
  }

  #sendAgain(id: number): void {
    this.#sender.leave(id);
    this.#event(id, { type: 'again' });
  }

  /** A file that was begun before, in this browser, and is here again: it goes on where it stands. */
  #adopt(file: globalThis.File, path: string, target: Target): boolean {
    if (path) return false;
    const known = this.#list.find(
      (item) =>
        item.state === 'unfinished' &&
        item.name === file.name &&
        item.size === file.size &&
        item.folderId === target.id &&
        this.#again.isOf(item.id, file),
    );
    if (!known) return false;
    this.#bodies.set(known.id, file);
    this.#event(known.id, { type: 'release' });
    return true;
  }

  /** Shows what was left behind when a page was closed or lost. */
  async #recall(): Promise<void> {
    const user = session.user?.id;
    if (!user) return;
    try {
      const mine = () => this.#list.flatMap((item) => (item.uploadId ? [item.uploadId] : []));
      const found = await this.#again.recall(user, mine);
      if (session.user?.id !== user || found.length === 0) return;
      // Nobody knows what was given together; files of one folder are asked about as if they had been.
      const batches = new Map<string, number>();
      const items = found.map(({ lastModified, handle, ...one }): Item => {
        const id = this.#nextId++;
        this.#again.note(id, handle, lastModified);
        const batch = batches.get(one.folderId) ?? ++this.#batch;
        batches.set(one.folderId, batch);
        return { ...blank, ...one, id, batch, state: 'unfinished' };
      });
      this.#place([...this.#list, ...items]);
      for (const { id } of items) if (this.findsAgain(id)) await this.findAgain(id, false);
    } catch {
      // Not shown then; they are there when the page comes the next time.
    }
  }

  async #failed({ id, batch }: Item, error: ApiError): Promise<void> {
    const attempts = (this.#get(id)?.attempts ?? 0) + 1;
    if (error.code === 'name_taken') {
      this.#event(id, { type: 'conflict', existingId: error.existingId });
      const answer = this.#answers.get(batch);
      if (answer) this.#event(id, { type: 'resolve', with: answer });
    } else if (error.code === 'upload_other_file' || error.code === 'upload_incomplete') {
      this.#bodies.delete(id);
      this.#event(id, { type: 'lose', reason: error.code === 'upload_other_file' ? t('upload.otherFile') : '' });
    } else if (error.code === 'locked') {
      this.#event(id, { type: 'fail', reason: t('upload.elsewhere') });
    } else if (error.status === 401) {
      this.#event(id, { type: 'pause', reason: t('upload.signIn') });
    } else if (!error.passing || attempts >= ATTEMPTS) {
      this.#event(id, { type: 'fail', reason: explain(error) });
    } else if (error.cause === 'offline' && !(await readable(this.#bodies.get(id)))) {
      // A file that was changed or taken away since looks like a lost line; the disk was asked before blaming the network.
      this.#event(id, { type: 'fail', reason: t('upload.changed') });
    } else {
      this.#event(id, { type: 'pause', reason: explain(error) });
      const resume = () => {
        this.#event(id, { type: 'resume' });
        this.#pump();
      };
      if (connection.lost) connection.whenBack(resume);
      else setTimeout(resume, backoffSeconds(attempts, error.retryAfter) * 1000);
    }
  }

  #resumeAll(): void {
    for (const item of this.#list) if (item.state === 'paused') this.#event(item.id, { type: 'resume' });
    this.#pump();
  }

  #get(id: number): Item | undefined {
    return this.#list[this.#at.get(id) ?? -1];
  }

  #event(id: number, event: Event): void {
    const at = this.#at.get(id);
    const item = this.#get(id);
    if (at === undefined || !item) return;
    const next = step(item, event);
    if (next === item) return;
    this.#list[at] = next;
    this.#openCount += Number(isOpen(next)) - Number(isOpen(item));
    if (next.state === 'waiting') this.#waiting.push(id);
    this.#show ??= setTimeout(() => this.#showNow(), SHOW_MS);
  }

  #showNow(): void {
    if (this.#show) clearTimeout(this.#show);
    this.#show = null;
    this.items = [...this.#list];
  }

  #place(items: Item[]): void {
    this.#list = items;
    this.#at = new Map(items.map((item, at) => [item.id, at]));
    this.items = [...items];
  }

  #keep(which: (item: Item) => boolean): void {
    for (const item of this.#list) if (!which(item)) this.#bodies.delete(item.id);
    this.#place(this.#list.filter(which));
    this.#openCount = this.#list.filter(isOpen).length;
  }
}

export const uploads = new Uploads();
