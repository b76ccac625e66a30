import type { Change, File } from '$lib/api/types';
import { t } from '$lib/i18n';
import { filesChanged, gatheredChanged } from '$lib/listing/listing.svelte';
import { type Partly, undoable } from '$lib/state/undo';
import { changeAll, type Outcome, takeBack } from './batch';
import { named, tell, tellBack } from './tell';

/** What the product keeps to: tags of one file, and characters of a tag. */
export const MOST_TAGS = 32;
export const LONGEST_TAG = 64;

const CONTROL = /\p{Cc}/u;

/** What was typed, as a tag; null if it cannot be one. */
export function asTag(typed: string): string | null {
  const tag = typed.trim();
  return tag && [...tag].length <= LONGEST_TAG && !CONTROL.test(tag) ? tag : null;
}

const low = (tag: string) => tag.toLowerCase();
/** Two ways to write a tag are one. */
export const sameTag = (one: string, other: string): boolean => low(one) === low(other);
export const hasTag = (tags: readonly string[], tag: string): boolean => tags.some((one) => sameTag(one, tag));

/** The tags among some files, each with the number of those that have it, in the order of the alphabet. */
export function tagsOf(files: readonly File[]): { tag: string; count: number }[] {
  const found = new Map<string, { tag: string; count: number }>();
  for (const tag of files.flatMap((file) => file.tags)) {
    const known = found.get(low(tag));
    if (known) known.count += 1;
    else found.set(low(tag), { tag, count: 1 });
  }
  return [...found.values()].sort((a, b) => a.tag.localeCompare(b.tag));
}

function shown(files: File[]): void {
  filesChanged(files);
  gatheredChanged();
}

/** Adds tags to files and takes others off. Gives the files as they are then. */
export const tagFiles = undoable(async (files: File[], add: string[], remove: string[]): Promise<File[]> => {
  if (files.length === 0 || add.length + remove.length === 0) return files;
  const label = t('act.tagging', { count: files.length });
  const outcome = await changeAll(files, label, ({ id }): Change => ({ op: 'tag', id, add, remove }));
  shown(outcome.now);
  const undo = async (tagged: Outcome): Promise<Partly | undefined> => {
    const back = await takeBack(tagged, label, ({ id, tags }) => ({ op: 'tag', id, tags }));
    shown(back.now);
    return tellBack(back, undo);
  };
  tell(
    outcome,
    (done) => t('act.tagged', named(done)),
    () => undo(outcome),
  );
  return outcome.now;
});
