import { getPath } from '$lib/api/files';
import { API } from '$lib/api/urls';
import { concerns, type FileChange, tellFileChanges } from '$lib/live/files';
import { paced } from '$lib/live/paced';
import { fileChange, SharedStream } from '$lib/live/shared';
import { session } from '$lib/state/session.svelte';
import { usage } from '$lib/state/usage.svelte';
import { current } from './current.svelte';

/** How often to look at a list while much happens in it. */
const PACE_MS = 400;

const stream = new SharedStream(`${API}/events`, fileChange);
let heard: FileChange[] = [];
let root: { user: string; id: string } | null = null;

/** Somebody's own root folder is shown as `root`, and told of by its id. */
async function idOf(folder: string): Promise<string> {
  if (folder !== 'root') return folder;
  const user = session.user?.id ?? '';
  if (root?.user !== user) root = { user, id: (await getPath('root'))[0]?.id ?? '' };
  return root.id;
}

const look = paced(async () => {
  const changes = heard;
  heard = [];
  const { listing, target } = current;
  // What could not be read at all says so, until somebody tries again.
  if (changes.length === 0 || !listing || (listing.error && listing.total === null)) return;
  const { key, gathered } = listing.source;
  const ofMany = gathered || key === 'trash';
  const here = ofMany ? '' : await idOf(target.id).catch(() => '');
  if (listing === current.listing && (ofMany || concerns(changes, [here]))) listing.refresh();
}, PACE_MS);

/** Follows what happens to files, whoever does it, and has what is shown follow. Gives back how to end that. */
export function followFiles(): () => void {
  const forget = stream.onEvents((changes) => {
    heard.push(...changes);
    look();
    usage.changed();
    tellFileChanges(changes);
  });
  // What happened while nobody told it.
  const forgetLive = stream.onLive((live) => {
    if (!live) return;
    heard.push({ event: 'reset', fileId: '', parentId: null, oldParentId: null });
    look();
  });
  stream.start(`fm-files-${session.user?.id ?? ''}`);
  return () => {
    forget();
    forgetLive();
    stream.stop();
    look.cancel();
    heard = [];
  };
}
