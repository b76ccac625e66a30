import type { Attachment } from 'svelte/attachments';

interface Tip {
  text: string;
  keys: string;
  anchor: Element;
}

const DELAY_MS = 450;

/** The one tooltip of the page, drawn by TipHost. */
class Tips {
  shown = $state.raw<Tip | null>(null);
  #timer: ReturnType<typeof setTimeout> | null = null;
  #lastHidden = 0;

  show(tip: Tip, now: boolean): void {
    this.#stop();
    // Whoever goes along a row of controls has waited once.
    if (now || this.shown || performance.now() - this.#lastHidden < 300) this.shown = tip;
    else this.#timer = setTimeout(() => (this.shown = tip), DELAY_MS);
  }

  hide(): void {
    this.#stop();
    if (!this.shown) return;
    this.#lastHidden = performance.now();
    // A control that is taken out while it has the focus says so in the middle of the drawing, when no state may change.
    queueMicrotask(() => (this.shown = null));
  }

  #stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }
}

export const tips = new Tips();

/** Shows a control's name when it is pointed at or reached by key. The control still needs the name itself. */
export function tip(text: string, keys = ''): Attachment<HTMLElement> {
  return (anchor) => {
    const enter = (event: PointerEvent) => event.pointerType === 'mouse' && tips.show({ text, keys, anchor }, false);
    const focus = () => anchor.matches(':focus-visible') && tips.show({ text, keys, anchor }, true);
    const leave = () => tips.hide();
    anchor.addEventListener('pointerenter', enter);
    anchor.addEventListener('focus', focus);
    for (const end of ['pointerleave', 'pointerdown', 'blur'] as const) anchor.addEventListener(end, leave);
    return () => {
      anchor.removeEventListener('pointerenter', enter);
      anchor.removeEventListener('focus', focus);
      for (const end of ['pointerleave', 'pointerdown', 'blur'] as const) anchor.removeEventListener(end, leave);
      if (tips.shown?.anchor === anchor) tips.hide();
    };
  };
}
