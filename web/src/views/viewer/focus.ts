/**
 * Gives the focus to what can be scrolled, so that the arrow keys do so at once; unless somebody has taken it elsewhere.
 * For `{@attach}`.
 */
export function takeFocus(element: HTMLElement): void {
  const now = document.activeElement;
  if (!now || now === document.body || now.getAttribute('role') === 'dialog') element.focus({ preventScroll: true });
}
