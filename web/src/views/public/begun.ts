import type { PublicUpload } from '$lib/api/types';
import { load, save } from '$lib/state/local';
import { showByLink } from '$lib/upload/resumable';
import { Tabs } from '$lib/upload/tabs';

/** Uploads by links that this browser has begun: nobody else can say which they are. */

/** What tells the file of an upload from others. */
export interface Begun {
  token: string;
  folder: string | null;
  name: string;
  size: number;
  lastModified: number;
}

export interface Left extends Begun {
  upload: PublicUpload;
}

const KEY = 'drops';
const all = (): Record<string, Begun> => load(KEY, {});

export function remember(id: string, begun: Begun): void {
  save(KEY, { ...all(), [id]: begun });
}

export function forget(id: string): void {
  const { [id]: _, ...rest } = all();
  save(KEY, rest);
}

let tabs: Tabs | null = null;

/** What was left behind at this link when a page was closed, reloaded or lost, and is on its way in no other tab. */
export async function recall(token: string, mine: () => string[]): Promise<Left[]> {
  tabs?.close();
  tabs = new Tabs('fm-drops', mine);
  const begun = Object.entries(all()).filter(([id, one]) => one.token === token && !mine().includes(id));
  if (begun.length === 0) return [];
  const elsewhere = await tabs.others();
  const found: Left[] = [];
  for (const [id, one] of begun) {
    if (elsewhere.has(id)) continue;
    const upload = await showByLink(token, id);
    if (upload) found.push({ ...one, upload });
    else forget(id);
  }
  return found;
}
