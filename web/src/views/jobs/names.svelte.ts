import { SvelteMap } from 'svelte/reactivity';
import { getFile } from '$lib/api/files';
import { asApiError } from '$lib/api/problem';
import type { File } from '$lib/api/types';

/** A job names its file by id; people want its name. `null` is a file that is not there any more. */
const known = new SvelteMap<string, File | null>();
const asked = new Set<string>();
const waiting: string[] = [];
const PARALLEL = 3;
let flying = 0;

/** The file of a job, as soon as it is known; asks for it the first time. */
export function fileOf(id: string): File | null | undefined {
  if (!asked.has(id)) {
    asked.add(id);
    waiting.push(id);
    // Not while something is being drawn: the answer changes state.
    queueMicrotask(pump);
  }
  return known.get(id);
}

function pump(): void {
  while (flying < PARALLEL) {
    const id = waiting.shift();
    if (id === undefined) return;
    flying += 1;
    getFile(id)
      .then(
        (file) => known.set(id, file),
        (thrown) => (asApiError(thrown).status === 404 ? known.set(id, null) : asked.delete(id)),
      )
      .finally(() => {
        flying -= 1;
        pump();
      });
  }
}
