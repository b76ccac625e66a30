import { type ApiError, asApiError } from '$lib/api/problem';
import type { File } from '$lib/api/types';
import { type Decoded, decode, decodeAs, readBeginning, type Source } from './text';

export interface LoadedText extends Decoded {
  cut: boolean;
  /** Bytes that were read. */
  read: number;
}

/** The text of a file, as far as `limit`, in the encoding found or chosen. To be made while a component is set up. */
export function textOf(file: () => File, limit: number) {
  let source = $state.raw<Source | null>(null);
  let found = $state.raw<Decoded | null>(null);
  let error = $state.raw<ApiError | null>(null);
  let chosen = $state<string>('auto');

  // The same file may be told of anew, with another tag or name: that is no reason to read it again.
  const id = $derived(file().id);
  const size = $derived(file().size);

  $effect(() => {
    // Read again by `retry`.
    if (error) return;
    const [wanted, bytes] = [id, size ?? 0];
    const flight = new AbortController();
    (async () => {
      try {
        const read = await readBeginning(wanted, bytes, limit, flight.signal);
        const decoded = await decode(read.bytes, read.cut);
        if (flight.signal.aborted) return;
        source = read;
        found = decoded;
      } catch (thrown) {
        if (!flight.signal.aborted) error = asApiError(thrown);
      }
    })();
    return () => flight.abort();
  });

  const loaded = $derived.by((): LoadedText | null => {
    if (!source || !found) return null;
    const decoded = chosen === 'auto' ? found : decodeAs(source.bytes, source.cut, chosen);
    return { ...decoded, cut: source.cut, read: source.bytes.length };
  });

  return {
    get loaded() {
      return loaded;
    },
    get found() {
      return found?.encoding ?? '';
    },
    get error() {
      return error;
    },
    get encoding() {
      return chosen;
    },
    set encoding(to: string) {
      chosen = to;
    },
    retry(): void {
      error = null;
    },
  };
}
