import { explain } from '$lib/api/explain';
import { getFile, getPath } from '$lib/api/files';
import { type ApiError, asApiError } from '$lib/api/problem';
import * as api from '$lib/api/sharing';
import type { CreateLink, File, Link, PathItem, Share, ShareRole, UpdateLink } from '$lib/api/types';
import { t } from '$lib/i18n';
import { folderChanged } from '$lib/listing/listing.svelte';
import { granteeName, roleName } from './names';

/** What a folder above gives to others, as far as the reader may know of it. */
export interface Inherited {
  folder: PathItem;
  shares: Share[];
  links: number;
}

/** What was just done, and how it is taken back. */
interface Note {
  text: string;
  tone: 'plain' | 'error';
  undo?: () => Promise<unknown>;
}

/** Who has access to one file or folder, and what the reader does about it. */
export class FileSharing {
  file = $state.raw<File | null>(null);
  shares = $state.raw<Share[]>([]);
  links = $state.raw<Link[]>([]);
  inherited = $state.raw<Inherited[]>([]);
  loaded = $state(false);
  error = $state.raw<ApiError | null>(null);
  note = $state.raw<Note | null>(null);

  constructor(readonly id: string) {}

  async load(signal?: AbortSignal): Promise<void> {
    this.error = null;
    try {
      const file = await getFile(this.id, signal);
      this.file = file;
      if (file.role === 'manager') await this.#read(signal);
      this.loaded = true;
      if (file.role === 'manager') await this.#readAbove(signal);
    } catch (thrown) {
      const error = asApiError(thrown);
      if (error.cause !== 'cancelled') this.error = error;
    }
  }

  async #read(signal?: AbortSignal): Promise<void> {
    const [shares, links] = await Promise.all([api.listShares(this.id, signal), api.listLinks(this.id, signal)]);
    // Oldest first: who is added comes last, where one looks for them.
    this.shares = shares.toReversed();
    this.links = links;
  }

  /** Folders of which the reader may not see who has access are left out. */
  async #readAbove(signal?: AbortSignal): Promise<void> {
    const above = (await getPath(this.id, signal)).slice(0, -1).filter((folder) => folder.name !== '');
    const found = await Promise.allSettled(
      above.map(async (folder): Promise<Inherited> => {
        const [shares, links] = await Promise.all([
          api.listShares(folder.id, signal),
          api.listLinks(folder.id, signal),
        ]);
        return { folder, shares, links: links.length };
      }),
    );
    this.inherited = found
      .flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
      .filter(({ shares, links }) => shares.length > 0 || links > 0)
      .toReversed();
  }

  /** Does something, says so, and reads again. Gives whether it worked. */
  async #act(act: () => Promise<{ text: string; undo?: () => Promise<unknown> }>): Promise<boolean> {
    try {
      const { text, undo } = await act();
      this.note = undo ? { text, tone: 'plain', undo } : { text, tone: 'plain' };
      return true;
    } catch (thrown) {
      this.note = { text: t('share.trouble', { reason: explain(asApiError(thrown)) }), tone: 'error' };
      return false;
    } finally {
      // A mark in the list of its folder says that it is shared.
      folderChanged(this.file?.parentId ?? null, 'root');
      await this.#read().catch(() => {});
    }
  }

  async undo(): Promise<void> {
    const undo = this.note?.undo;
    if (!undo) return;
    this.note = null;
    await this.#act(async () => {
      await undo();
      return { text: t('share.undone') };
    });
  }

  /** @throws ApiError for the field that names whom to share with. */
  async give(to: api.Receiver, role: ShareRole): Promise<void> {
    const before = this.shares;
    const share = await api.createShare(this.id, to, role);
    const old = before.find((one) => one.id === share.id)?.role;
    await this.#act(async () => ({
      text: t('share.given', { name: granteeName(share.grantee), role: roleName(role) }),
      undo: () => (old ? api.changeShare(share.id, old) : api.endShare(share.id)),
    }));
  }

  change(share: Share, role: ShareRole): Promise<boolean> {
    // Shown at once; what is so is read again right after.
    this.shares = this.shares.map((one) => (one.id === share.id ? { ...one, role } : one));
    return this.#act(async () => {
      await api.changeShare(share.id, role);
      return {
        text: t('share.changed', { name: granteeName(share.grantee), role: roleName(role) }),
        undo: () => api.changeShare(share.id, share.role),
      };
    });
  }

  end(share: Share): Promise<boolean> {
    this.shares = this.shares.filter((one) => one.id !== share.id);
    const { grantee } = share;
    const to = grantee.type === 'group' ? { groupId: grantee.id } : { userId: grantee.id };
    return this.#act(async () => {
      await api.endShare(share.id);
      return {
        text: t('share.removed', { name: granteeName(grantee) }),
        undo: () => api.createShare(this.id, to, share.role),
      };
    });
  }

  /** @throws ApiError for the form. */
  async makeLink(link: CreateLink): Promise<Link> {
    const made = await api.createLink(this.id, link);
    await this.#act(async () => ({ text: t('link.made') }));
    return made;
  }

  /** @throws ApiError for the form. */
  async changeLink(id: string, change: UpdateLink): Promise<void> {
    await api.changeLink(id, change);
    await this.#act(async () => ({ text: t('link.saved') }));
  }

  endLink(link: Link): Promise<boolean> {
    this.links = this.links.filter((one) => one.id !== link.id);
    return this.#act(async () => {
      await api.endLink(link.id);
      return { text: t('link.ended') };
    });
  }
}
