import { ApiError, problemOf } from '$lib/api/problem';
import type { ChangeResult } from '$lib/api/types';
import { bundleUrl, type OnConflict } from '$lib/api/urls';
import type { Item } from './queue';
import { type Sending, transfer } from './send';

/** Largest file that goes in one request with others, in bytes: what takes less time than a request of its own. */
const SMALL = 64 * 1024;
/** Most bytes and files of one request: some seconds of a slow line, of which nothing is seen before its end. */
const BYTES = 1024 * 1024;
const FILES = 100;

/** Whether an item may go with others. Under another name a repetition would not meet itself: what wants one goes alone. */
const isSmall = ({ size, uploadId, onConflict }: Item): boolean =>
  size <= SMALL && !uploadId && onConflict !== 'rename';

const goTogether = (a: Item, b: Item): boolean =>
  a.folderId === b.folderId && a.path === b.path && a.onConflict === b.onConflict;

/** The file that one has become, or why it has not. */
type Outcome = { id: string } | ApiError;

/** How many of the items at the front go in one request, so that `lines` requests at once share them. At least 1, unless there are none. */
export function bundled(items: readonly Item[], lines: number): number {
  const [first] = items;
  if (!first || !isSmall(first)) return Math.min(items.length, 1);
  const most = Math.min(FILES, Math.ceil(items.length / lines));
  let bytes = 0;
  const end = items.findIndex((item, at) => {
    bytes += item.size;
    return at >= most || bytes > BYTES || !isSmall(item) || !goTogether(first, item);
  });
  return end < 0 ? items.length : end;
}

/** For each request at once, how many items {@link bundled} needs to see at most. */
export const SEEN = FILES;

/** How many bytes of each file have left when `share` (0 to 1) of all have. */
export function sentOfEach(sizes: readonly number[], share: number): number[] {
  let left = share * sizes.reduce((sum, size) => sum + size, 0);
  return sizes.map((size) => {
    const sent = Math.min(size, Math.floor(left));
    left -= sent;
    return sent;
  });
}

/** Sends files into a folder by one request. Gives what became of each. */
export function sendBundle(
  folder: string,
  onConflict: OnConflict,
  files: readonly { name: string; body: globalThis.File }[],
  onProgress: (sent: number[]) => void,
): Sending<Outcome[]> {
  const form = new FormData();
  for (const { name, body } of files) {
    // Of the name in a part not each character is what it was.
    form.append('name', name);
    if (body.lastModified) form.append('modifiedAt', new Date(body.lastModified).toISOString());
    form.append('file', body, 'file');
  }
  const sizes = files.map(({ body }) => body.size);
  return transfer(
    {
      method: 'POST',
      url: bundleUrl(folder, onConflict),
      headers: {},
      body: form,
      onProgress: (sent, total) => onProgress(sentOfEach(sizes, total > 0 ? sent / total : 0)),
    },
    (_, answer) => {
      const results = (answer as { results?: ChangeResult[] } | null)?.results;
      // One more tells why the form ended early.
      if (!results || (results.length < files.length && !results.some((result) => result.code))) return null;
      return files.map((_, at) => outcomeOf(results[at] ?? results[results.length - 1]));
    },
  );
}

/**
 * The file of an outcome.
 *
 * @throws ApiError why there is none
 */
export function fileOf(outcome: Outcome | undefined): { id: string } {
  if (!outcome) throw new ApiError('hop', 0, '', '');
  if (outcome instanceof ApiError) throw outcome;
  return outcome;
}

function outcomeOf(result: ChangeResult | undefined): Outcome {
  return result?.file ?? problemOf(result?.status ?? 0, result, () => null);
}
