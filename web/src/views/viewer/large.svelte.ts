import { getFile } from '$lib/api/files';
import { parseRetryAfter } from '$lib/api/problem';
import type { File } from '$lib/api/types';
import { thumbnailUrl } from '$lib/api/urls';

const LONGEST_S = 20;

/**
 * Whether the large thumbnail of a picture is there. While it is being made it is asked for as often as the product
 * says, ever more seldom. To be made while a component is set up.
 */
export function largePicture(file: () => File) {
  let state = $state<'ready' | 'pending' | 'failed'>(stateOf(file()));

  $effect(() => {
    state = stateOf(file());
  });

  $effect(() => {
    if (state !== 'pending') return;
    const flight = new AbortController();
    let timer: ReturnType<typeof setTimeout>;
    let delay = 1;
    const look = async () => {
      try {
        const answer = await fetch(thumbnailUrl(file(), 1280), { signal: flight.signal, cache: 'no-store' });
        if (answer.status === 200) state = 'ready';
        else if (answer.status === 202) again(parseRetryAfter(answer.headers.get('Retry-After'), Date.now()));
        else state = stateOf(await getFile(file().id, flight.signal)) === 'ready' ? 'ready' : 'failed';
      } catch {
        if (!flight.signal.aborted) again(null);
      }
    };
    const again = (asked: number | null) => {
      timer = setTimeout(look, Math.max(asked ?? 0, delay) * 1000);
      delay = Math.min(delay * 1.6, LONGEST_S);
    };
    look();
    return () => {
      flight.abort();
      clearTimeout(timer);
    };
  });

  return {
    get state() {
      return state;
    },
    /** The picture could not be shown though it was said to be there. */
    broken(): void {
      state = 'failed';
    },
  };
}

const stateOf = (file: File): 'ready' | 'pending' | 'failed' =>
  file.thumbnails.state === 'ready' ? 'ready' : file.thumbnails.state === 'pending' ? 'pending' : 'failed';
