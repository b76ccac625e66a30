import { ApiError, problemOf } from '$lib/api/problem';
import type { ChangeResult } from '$lib/api/types';
import { bundleUrl, type OnConflict } from '$lib/api/urls';
import type { Item } from './queue';
import { type Sending, timeOf, transfer } from './send';

/** Largest file that goes in one request with others, in bytes: what takes less time than a request of its own. */
const SMALL = 64 * 1024;
/** Most bytes and files of one request: some seconds of a slow line, of which nothing is seen before its end. */
const BYTES = 1024 * 1024;
const FILES = 100;

/**
 * Whether an item may go with others. If it has to be sent again for the sake of one of them, its name tells that it is there; under another name, or as
 * new content, it would be there twice.
 */
const isSmall = ({ size, uploadId, onConflict }: Item): boolean => size <= SMALL && !uploadId && onConflict === 'fail';

const goTogether = (a: Item, b: Item): boolean => a.folderId === b.folderId && a.path === b.path;

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

/** How many items {@link bundled} needs to see at most, for each request at once. */
export const SEEN = FILES;

/** About as many bytes of a form stand before each file. */
const HEAD = 400;

/** How many bytes of each file have left when `share` (0 to 1) of the form has. */
export function sentOfEach(sizes: readonly number[], share: number): number[] {
  let left = share * sizes.reduce((sum, size) => sum + HEAD + size, 0);
  return sizes.map((size) => {
    const sent = Math.max(0, Math.min(size, Math.floor(left - HEAD)));
    left -= HEAD + size;
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
    const modified = timeOf(body);
    if (modified) form.append('modifiedAt', modified.toISOString());
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
      if (!results) return null;
      // Where the form broke off, nothing is wrong with what stands behind that.
      return files.map((_, at) => (results[at] ? outcomeOf(results[at]) : cutOff()));
    },
  );
}

/**
 * The file of an outcome.
 *
 * @throws ApiError why there is none
 */
export function fileOf(outcome: Outcome | undefined): { id: string } {
  if (!outcome) throw cutOff();
  if (outcome instanceof ApiError) throw outcome;
  return outcome;
}

function outcomeOf(result: ChangeResult): Outcome {
  if (result.file) return result.file;
  const early = result.code === 'body_too_slow' || result.code === 'incomplete_body';
  return early ? cutOff() : problemOf(result.status, result, () => null);
}

/** It did not come to this one, though somebody answered: it can be sent again, and the line is not lost. */
const cutOff = () => new ApiError('hop', 503, '', '');
