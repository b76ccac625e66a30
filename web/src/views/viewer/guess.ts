import { analyse } from 'chardet';

/** Enough to know a language by, little enough to be looked at in a moment. */
const LOOKED_AT = 64 * 1024;

/**
 * Scripts that only a right guess brings forth, in a few words already: letters that no other encoding would have put
 * so close together.
 */
const SCRIPTS: [encoding: string, letters: RegExp, share: number][] = [
  ['shift_jis', /[\u3041-\u30fe]/g, 0.2],
  ['euc-jp', /[\u3041-\u30fe]/g, 0.2],
  ['euc-kr', /[\uac00-\ud7a3]/g, 0.8],
];

/** The most likely encoding of a text that is no UTF-8, by its letters and how often they come. */
export function guessEncoding(bytes: Uint8Array): string {
  const looked = bytes.subarray(0, LOOKED_AT);
  return byScript(looked) ?? byFrequency(looked) ?? 'windows-1252';
}

function byScript(bytes: Uint8Array): string | null {
  for (const [encoding, letters, share] of SCRIPTS) {
    try {
      const text = new TextDecoder(encoding, { fatal: true }).decode(bytes, { stream: true });
      const foreign = text.match(/[^\0-\x7f]/g)?.length ?? 0;
      if (foreign > 1 && (text.match(letters)?.length ?? 0) >= foreign * share) return encoding;
    } catch {
      // Not valid in it.
    }
  }
  return null;
}

function byFrequency(bytes: Uint8Array): string | null {
  for (const { name } of analyse(bytes)) {
    if (/^(utf-8|ascii)$/i.test(name)) continue;
    try {
      return new TextDecoder(name).encoding;
    } catch {
      // One that browsers do not know: the next best.
    }
  }
  return null;
}
