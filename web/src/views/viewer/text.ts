import { asApiError, problemOf } from '$lib/api/problem';
import { contentUrl } from '$lib/api/urls';

export interface Source {
  bytes: Uint8Array;
  /** There is more than these. */
  cut: boolean;
}

/** The beginning of a file, at most `limit` bytes of it. */
export async function readBeginning(id: string, size: number, limit: number, signal: AbortSignal): Promise<Source> {
  // A range of nothing cannot be satisfied.
  if (size === 0) return { bytes: new Uint8Array(), cut: false };
  let answer: Response;
  try {
    answer = await fetch(contentUrl(id), { headers: { Range: `bytes=0-${limit - 1}` }, signal });
    if (!answer.ok)
      throw problemOf(answer.status, await answer.json().catch(() => null), (name) => answer.headers.get(name));
    const bytes = new Uint8Array(await answer.arrayBuffer()).subarray(0, limit);
    return { bytes, cut: size > bytes.length };
  } catch (thrown) {
    throw asApiError(thrown);
  }
}

export interface Decoded {
  text: string;
  /** The name of the encoding that was used. */
  encoding: string;
}

/** What can be chosen where the guess was wrong: what people have written in, by the names of the Encoding Standard. */
export const ENCODINGS = [
  'utf-8',
  'utf-16le',
  'utf-16be',
  'windows-1252',
  'iso-8859-2',
  'windows-1250',
  'windows-1251',
  'koi8-r',
  'iso-8859-7',
  'windows-1254',
  'windows-1255',
  'windows-1256',
  'shift_jis',
  'euc-jp',
  'iso-2022-jp',
  'euc-kr',
  'gb18030',
  'big5',
  'windows-874',
] as const;

/**
 * Text in the encoding that its bytes show: a byte order mark, else UTF-8 if it is valid, else what looks most likely.
 * `cut` says that the last character may be incomplete.
 */
export async function decode(bytes: Uint8Array, cut: boolean): Promise<Decoded> {
  const sure = decodeSurely(bytes, cut);
  if (sure) return sure;
  const { guessEncoding } = await import('./guess');
  return decodeAs(bytes, cut, guessEncoding(bytes));
}

export function decodeAs(bytes: Uint8Array, cut: boolean, encoding: string): Decoded {
  // With `stream` a character cut at the end is left out, and is no replacement character.
  return { text: new TextDecoder(encoding).decode(bytes, { stream: cut }), encoding };
}

function decodeSurely(bytes: Uint8Array, cut: boolean): Decoded | null {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return decodeAs(bytes, cut, 'utf-16le');
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return decodeAs(bytes, cut, 'utf-16be');
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes, { stream: cut });
    // Zeros are valid UTF-8, and in every second place they are UTF-16 without its mark.
    const wide = text.includes('\0') ? wideness(bytes) : null;
    return wide ? decodeAs(bytes, cut, wide) : { text, encoding: 'utf-8' };
  } catch {
    const wide = wideness(bytes);
    return wide ? decodeAs(bytes, cut, wide) : null;
  }
}

function wideness(bytes: Uint8Array): 'utf-16le' | 'utf-16be' | null {
  const looked = Math.min(bytes.length, 4096) & ~1;
  const zeros = [0, 0];
  for (let at = 0; at < looked; at++) if (bytes[at] === 0) zeros[at % 2] = (zeros[at % 2] ?? 0) + 1;
  const [even = 0, odd = 0] = zeros;
  if (odd > looked / 5 && even === 0) return 'utf-16le';
  return even > looked / 5 && odd === 0 ? 'utf-16be' : null;
}
