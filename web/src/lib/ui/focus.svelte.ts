import { tick, untrack } from 'svelte';

/**
 * Leaves the focus at an element when the control in it that has the focus goes, because `state` is another one. To be called
 * while a component is set up.
 */
export function keepFocus(element: () => HTMLElement | undefined, state: () => unknown): void {
  $effect.pre(() => {
    state();
    const row = untrack(element);
    if (!row?.contains(document.activeElement)) return;
    tick().then(() => {
      if (document.activeElement === document.body) row.focus();
    });
  });
}
