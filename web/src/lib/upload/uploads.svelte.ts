import { reportOutcome } from '$lib/api/client';
import { explain } from '$lib/api/explain';
import { createPath } from '$lib/api/files';
import { type ApiError, asApiError } from '$lib/api/problem';
import { uploadUrl } from '$lib/api/urls';
import { t } from '$lib/i18n';
import { formatSize } from '$lib/i18n/format';
import { folderChanged } from '$lib/listing/listing.svelte';
import { connection } from '$lib/state/connection.svelte';
import { jobs } from '$lib/state/jobs.svelte';
import { session } from '$lib/state/session.svelte';
import { toasts } from '$lib/state/toasts.svelte';
import { usage } from '$lib/state/usage.svelte';
import type { Harvest } from './entries';
import { backoffSeconds, type Event, type Item, isFinished, isOpen, step, totalsOf } from './queue';
import { Rate } from './rate';
import { type Sending, send } from './send';

/** Files on their way at the same time: enough to fill a line, few enough to leave the page its connections. */
const PARALLEL = 3;
/** Attempts of its own before an upload is shown as failed. */
const ATTEMPTS = 5;
/** How often what happened is shown. A thousand small files finish faster than anyone can look. */
const SHOW_MS = 80;

export interface Target {
  id: string;
  name: string;
  /** It is somebody else's, whose room is taken. */
  foreign?: boolean;
  /** Nothing may be put into it. */
  closed?: boolean;
}

type Answer = 'rename' | 'replace' | 'skip';

/** Everything that is on its way up. What is shown (`items`) follows what is so (`#list`) a moment later. */
class Uploads {
  items = $state.raw<Item[]>([]);
  /** Bytes a second and seconds left of all together, brought up to date once a second. */
  speed = $state<number | null>(null);
  secondsLeft = $state<number | null>(null);
  trayOpen = $state(true);

  totals = $derived.by(() => totalsOf(this.items));
  active = $derived(this.totals.open > 0);
  conflicts = $derived(this.items.filter((item) => item.state === 'conflict'));

  #list: Item[] = [];
  #at = new Map<number, number>();
  #bodies = new Map<number, globalThis.File>();
  #waiting: number[] = [];
  #sendings = new Map<number, Sending | null>();
  #folders = new Map<string, Promise<string>>();
  /** The folder above each that was made: there it stands with the number of what it holds. */
  #above = new Map<string, string>();
  #openCount = 0;
  #nextId = 1;
  #answer: Answer | null = null;
  #rate = new Rate();
  #clock: ReturnType<typeof setInterval> | null = null;
  #show: ReturnType<typeof setTimeout> | null = null;

  constructor() {
    addEventListener('beforeunload', (event) => {
      if (this.#openCount > 0 || this.#list.some((item) => item.state === 'conflict')) event.preventDefault();
    });
    session.onEnter((sameUser) => {
      if (sameUser) this.#resumeAll();
      else this.clearAll();
    });
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
    const added = files.map(({ file, path }): Item => {
      const id = this.#nextId++;
      this.#bodies.set(id, file);
      const { name, size } = file;
      const begin = {
        state: 'waiting',
        sent: 0,
        onConflict: 'fail',
        reason: '',
        fileId: null,
        attempts: 0,
        existingId: null,
      } as const;
      return { id, name, path, folderId: target.id, folderName: target.name, size, ...begin };
    });
    this.#openCount += added.length;
    this.#place([...this.#list, ...added]);
    for (const item of added) this.#waiting.push(item.id);
    this.trayOpen = true;
    if (!target.foreign) this.#refuseEarly(added);
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

  cancel(id: number): void {
    this.#event(id, { type: 'cancel' });
    this.#sendings.get(id)?.cancel();
    this.#pump();
  }

  cancelAll(): void {
    for (const item of this.#list) if (isOpen(item) || item.state === 'conflict') this.cancel(item.id);
  }

  /** Answers a conflict; with `forAll` also those that stand now and come later in this batch. */
  resolve(id: number, answer: Answer, forAll: boolean): void {
    const ids = forAll ? this.#list.filter((item) => item.state === 'conflict').map((item) => item.id) : [id];
    for (const one of ids) this.#event(one, { type: 'resolve', with: answer });
    if (forAll && this.#openCount > 0) this.#answer = answer;
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

  /** Takes every row away that is not on its way. */
  dismiss(): void {
    this.#keep((item) => isOpen(item) || item.state === 'conflict');
  }

  clearAll(): void {
    for (const sending of this.#sendings.values()) sending?.cancel();
    this.#folders.clear();
    this.#waiting = [];
    this.#keep(() => false);
    this.#tick();
  }

  /** Says at once what the server would say after all bytes have gone. */
  #refuseEarly(added: Item[]): void {
    const limits = usage.limits;
    if (!limits) return;
    const most = limits.maxUploadBytes;
    let room = limits.freeBytes ?? Number.POSITIVE_INFINITY;
    for (const item of added) {
      if (most !== null && item.size > most) {
        this.#event(item.id, { type: 'fail', reason: t('upload.tooLarge', { limit: formatSize(most) }) });
      } else if (item.size > room) {
        this.#event(item.id, { type: 'fail', reason: t('upload.noRoom', { free: formatSize(Math.max(0, room)) }) });
      } else {
        room -= item.size;
      }
    }
  }

  async #makeEmpty(target: Target, paths: string[]): Promise<void> {
    try {
      for (const path of paths) await this.#makeFolder(target.id, path);
      toasts.show(t('upload.foldersMade', { count: paths.length }));
    } catch (thrown) {
      toasts.error(explain(asApiError(thrown)));
    }
  }

  #pump(): void {
    while (this.#sendings.size < PARALLEL && !connection.lost && session.state === 'signedIn') {
      const id = this.#waiting.shift();
      if (id === undefined) break;
      const item = this.#get(id);
      if (item?.state === 'waiting' && !this.#sendings.has(id)) this.#run(item);
    }
    if (this.#openCount === 0) {
      this.#answer = null;
      this.#folders.clear();
      this.#above.clear();
    }
    if (connection.lost) connection.whenBack(this.#goOn);
    this.#tick();
  }

  #goOn = (): void => this.#pump();

  async #run(item: Item): Promise<void> {
    const { id } = item;
    const body = this.#bodies.get(id);
    if (!body) return;
    this.#sendings.set(id, null);
    this.#event(id, { type: 'start' });
    try {
      const folder = item.path ? await this.#makeFolder(item.folderId, item.path) : item.folderId;
      if (this.#get(id)?.state !== 'sending') return;
      const url = uploadUrl(folder, item.name, item.onConflict, body.lastModified ? new Date(body.lastModified) : null);
      const sending = send(url, body, (sent) => this.#event(id, { type: 'progress', sent }));
      this.#sendings.set(id, sending);
      const file = await sending.done;
      reportOutcome(null);
      this.#event(id, { type: 'succeed', fileId: file.id });
      this.#bodies.delete(id);
      folderChanged(folder, this.#above.get(folder) ?? null, item.folderId);
      usage.changed();
      jobs.poke();
    } catch (thrown) {
      const error = asApiError(thrown);
      if (error.cause !== 'cancelled') {
        reportOutcome(error);
        await this.#failed(item, error);
      }
    } finally {
      this.#sendings.delete(id);
      // Tried again while its old sending was still ending: its turn comes now.
      if (this.#get(id)?.state === 'waiting') this.#waiting.push(id);
      this.#pump();
    }
  }

  async #failed({ id }: Item, error: ApiError): Promise<void> {
    const attempts = (this.#get(id)?.attempts ?? 0) + 1;
    if (error.code === 'name_taken') {
      this.#event(id, { type: 'conflict', existingId: error.existingId });
      if (this.#answer) this.#event(id, { type: 'resolve', with: this.#answer });
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

  /** One request for a folder, however many files go into it; each folder above it first, so that its list is known to change. */
  #makeFolder(parent: string, path: string): Promise<string> {
    const key = `${parent} ${path}`;
    let folder = this.#folders.get(key);
    if (!folder) {
      const slash = path.lastIndexOf('/');
      const above = slash < 0 ? Promise.resolve(parent) : this.#makeFolder(parent, path.slice(0, slash));
      folder = above.then(async (into) => {
        const made = await createPath(into, path.slice(slash + 1));
        this.#above.set(made.id, into);
        folderChanged(into);
        return made.id;
      });
      folder.catch(() => this.#folders.delete(key));
      this.#folders.set(key, folder);
    }
    return folder;
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
    this.#show ??= setTimeout(() => {
      this.#show = null;
      this.items = [...this.#list];
    }, SHOW_MS);
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

  #tick(): void {
    const busy = this.#openCount > 0;
    if (busy && this.#clock === null) {
      this.#rate.reset();
      this.#measure();
      this.#clock = setInterval(() => this.#measure(), 1000);
    } else if (!busy && this.#clock !== null) {
      clearInterval(this.#clock);
      this.#clock = null;
      this.speed = null;
      this.secondsLeft = null;
    }
  }

  #measure(): void {
    const { sent, bytes } = totalsOf(this.#list);
    const now = performance.now();
    this.#rate.note(now, sent);
    this.speed = this.#rate.speed(now);
    this.secondsLeft = this.#rate.secondsLeft(now, bytes - sent);
  }
}

async function readable(body: Blob | undefined): Promise<boolean> {
  try {
    await body?.slice(0, 1).arrayBuffer();
    return true;
  } catch {
    return false;
  }
}

export const uploads = new Uploads();
