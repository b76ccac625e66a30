import { untrack } from 'svelte';

/** How long a picture of a slideshow is looked at, once it is there. */
const SHOWN_MS = 4_000;

/**
 * A slideshow: goes on to the next picture when one has been shown for its time. `ready` says whether the one on screen
 * has come, so that a slow line shows pictures longer, and none not at all. To be made while a component is set up.
 */
export function slideshow(seen: () => string, ready: () => boolean, next: () => (() => void) | null) {
  let playing = $state(false);

  $effect(() => {
    if (!playing || !seen() || !ready()) return;
    const timer = setTimeout(() => {
      const go = untrack(next);
      if (go) go();
      else playing = false;
    }, SHOWN_MS);
    return () => clearTimeout(timer);
  });

  return {
    get playing() {
      return playing;
    },
    toggle(): void {
      playing = !playing;
    },
    stop(): void {
      playing = false;
    },
  };
}
