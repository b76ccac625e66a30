import type { File } from '$lib/api/types';

const FIRST_MS = 1_200;
const LONGEST_MS = 30_000;

/**
 * Looks again while thumbnails of what is seen are being made: soon at first, ever more seldom while nothing comes of it,
 * never in a hidden tab. One question for all of them.
 */
export function pollPending(visible: () => (File | undefined)[], look: () => void): void {
  const pending = $derived(
    visible()
      .filter((file) => file?.thumbnails.state === 'pending')
      .map((file) => file?.id)
      .join(' '),
  );
  $effect(() => {
    if (!pending) return;
    let delay = FIRST_MS;
    let timer = setTimeout(again, delay);
    function again() {
      if (!document.hidden) look();
      delay = Math.min(delay * 1.6, LONGEST_MS);
      timer = setTimeout(again, delay);
    }
    return () => clearTimeout(timer);
  });
}
