/** Something that happened to a file or folder; `reset` says that some of it was missed, so that all has to be looked at. */
export interface FileChange {
  event: string;
  fileId: string;
  /** Its folder since then, and the one before; null where one may not know of it. */
  parentId: string | null;
  oldParentId: string | null;
}

const listeners = new Set<(changes: FileChange[]) => void>();

/** Calls with what happens to files that one may see, whoever does it. Gives back how to end it. */
export function onFileChanges(call: (changes: FileChange[]) => void): () => void {
  listeners.add(call);
  return () => listeners.delete(call);
}

/** Tells what was heard to all who want to know. */
export function tellFileChanges(changes: FileChange[]): void {
  for (const call of listeners) call(changes);
}

/** Whether something of it happened in, or to, one of these folders. */
export const concerns = (changes: FileChange[], folders: readonly string[]): boolean =>
  changes.some(
    ({ event, fileId, parentId, oldParentId }) =>
      event === 'reset' || [fileId, parentId, oldParentId].some((id) => id && folders.includes(id)),
  );
