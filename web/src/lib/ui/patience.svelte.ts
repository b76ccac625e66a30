/** After so long on a line that hardly moves people shall be able to leave, whatever they miss by it. */
const PATIENCE_MS = 15_000;

/** Whether something is waited for that nobody should leave, and not for too long yet. Called while a component is made. */
export function patience(waits: () => boolean): { readonly lasts: boolean } {
  let isOver = $state(false);
  $effect(() => {
    if (!waits()) return;
    const timer = setTimeout(() => (isOver = true), PATIENCE_MS);
    return () => {
      clearTimeout(timer);
      isOver = false;
    };
  });
  return {
    get lasts() {
      return waits() && !isOver;
    },
  };
}
