import { explain } from '$lib/api/explain';
import { type ApiError, asApiError, problemOf } from '$lib/api/problem';
import { asFile, openLink, unlockLink } from '$lib/api/public';
import type { File, PathItem, PublicLink } from '$lib/api/types';
import { archiveUrl, downloadUrl, readBy } from '$lib/api/urls';
import { startDownload } from '$lib/files/actions';
import { toasts } from '$lib/state/toasts.svelte';

/** opening → locked (wants its password), gone, failed, or open. */
export type VisitState = 'opening' | 'locked' | 'gone' | 'failed' | 'open';

/** What somebody sees who came by a link. */
export class Visit {
  state = $state<VisitState>('opening');
  link = $state.raw<PublicLink | null>(null);
  error = $state.raw<ApiError | null>(null);
  /** It was open, and its ticket has run out. */
  again = $state(false);
  root = $derived(this.link?.file ? asFile(this.link.file) : null);
  reads = $derived(this.link?.role === 'viewer' || this.link?.role === 'editor');
  #names = new Map<string, { name: string; parentId: string | null }>();

  constructor(readonly token: string) {}

  async open(): Promise<void> {
    if (this.state !== 'locked') this.state = 'opening';
    try {
      this.#arrive(await openLink(this.token, null));
    } catch (thrown) {
      this.refused(asApiError(thrown));
    }
  }

  #arrive(link: PublicLink): void {
    this.link = link;
    this.again = false;
    const { token } = this;
    readBy({
      token,
      root: link.file?.id ?? '',
      contents: this.reads,
      read: (id, signal) => this.file(id, signal),
      save: (files) => this.save(files),
    });
    this.state = 'open';
  }

  /** Understands what any request by the link was refused with; true if that was about the link as a whole. */
  refused(error: ApiError): boolean {
    if (error.code === 'link_locked') {
      this.again = this.state === 'open';
      this.state = 'locked';
    } else if (error.status === 404 && this.state !== 'open') {
      this.state = 'gone';
    } else if (this.state !== 'open') {
      this.error = error;
      this.state = 'failed';
    } else {
      return false;
    }
    return true;
  }

  /** @throws ApiError for the field of the password */
  async unlock(password: string): Promise<void> {
    await unlockLink(this.token, password);
    await this.open();
  }

  async file(id: string, signal?: AbortSignal): Promise<File> {
    const { file } = await openLink(this.token, id, signal);
    if (!file) throw problemOf(404, null, () => null);
    this.#names.set(id, file);
    return asFile(file);
  }

  /** Looks again how many downloads are left and whether it still leads anywhere, which does not count as an opening. */
  async look(): Promise<void> {
    const root = this.link?.file?.id;
    if (!root) return;
    try {
      this.link = await openLink(this.token, root);
    } catch (thrown) {
      const error = asApiError(thrown);
      // Something below may be gone; without what it leads to the link has ended.
      if (error.status === 404) this.state = 'gone';
      else this.refused(error);
    }
  }

  /** The folders from what the link leads to down to one, each asked for once. */
  async way(folder: string | null, signal: AbortSignal): Promise<PathItem[]> {
    const root = this.link?.file;
    if (!root) return [];
    const way: PathItem[] = [];
    for (let id = folder; id && id !== root.id; ) {
      if (!this.#names.has(id)) await this.file(id, signal);
      const known = this.#names.get(id);
      way.unshift({ id, name: known?.name ?? '' });
      id = known?.parentId ?? null;
    }
    return [{ id: root.id, name: root.name }, ...way];
  }

  /** Has the browser save files, several and folders as one archive. */
  async save(files: File[]): Promise<void> {
    const [only] = files.length === 1 ? files : [];
    // An empty file has no first byte that could be asked for.
    if (files.length > 0) await this.#save(downloadUrl(files), only?.type !== 'file' || (only.size ?? 0) > 0);
  }

  /** Has the browser save all that is in a folder, or in what the link leads to. */
  async saveAll(folder: string | null): Promise<void> {
    const id = folder ?? this.link?.file?.id;
    if (id) await this.#save(archiveUrl([id]), true);
  }

  /**
   * Where downloads are counted the first byte is asked for here, since a browser says nothing of a download that was
   * refused; what follows is free by the ticket that comes with it.
   */
  async #save(address: string, hasBytes: boolean): Promise<void> {
    const counted = this.link?.downloadsLeft !== null;
    const refusal = counted && hasBytes ? await this.#firstByte(address) : null;
    if (refusal) {
      if (!this.refused(refusal)) toasts.error(explain(refusal));
    } else {
      startDownload(address);
    }
    if (counted) await this.look();
  }

  async #firstByte(address: string): Promise<ApiError | null> {
    try {
      const answer = await fetch(address, { headers: { Range: 'bytes=0-0' }, cache: 'no-store' });
      if (answer.ok) return null;
      return problemOf(answer.status, await answer.json().catch(() => null), (name) => answer.headers.get(name));
    } catch (thrown) {
      return asApiError(thrown);
    }
  }

  leave(): void {
    readBy(null);
  }
}
