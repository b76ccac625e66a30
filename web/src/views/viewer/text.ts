import { asApiError, problemOf } from '$lib/api/problem';
import { contentUrl } from '$lib/api/urls';

/** As much of a text as is shown: enough to know it by, little enough to come at once. */
export const PREVIEW_BYTES = 64 * 1024;

export interface Preview {
  text: string;
  /** There is more than is shown. */
  cut: boolean;
}

/** The beginning of a file as text. */
export async function readPreview(id: string, size: number, signal: AbortSignal): Promise<Preview> {
  // A range of nothing cannot be satisfied.
  if (size === 0) return { text: '', cut: false };
  let answer: Response;
  try {
    answer = await fetch(contentUrl(id), { headers: { Range: `bytes=0-${PREVIEW_BYTES - 1}` }, signal });
  } catch (thrown) {
    throw asApiError(thrown);
  }
  if (!answer.ok)
    throw problemOf(answer.status, await answer.json().catch(() => null), (name) => answer.headers.get(name));
  const bytes = new Uint8Array(await answer.arrayBuffer()).subarray(0, PREVIEW_BYTES);
  const cut = size > bytes.length;
  return { text: decode(bytes, cut), cut };
}

/** Text in the encoding that its bytes show: a byte order mark, else UTF-8 if it is valid, else what Western Europe wrote before. */
export function decode(bytes: Uint8Array, cut: boolean): string {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return new TextDecoder('utf-16le').decode(bytes);
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return new TextDecoder('utf-16be').decode(bytes);
  try {
    // With `stream` a character cut at the end is left out, not an error.
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes, { stream: cut });
  } catch {
    return new TextDecoder('windows-1252').decode(bytes);
  }
}
