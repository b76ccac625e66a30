const GAP = 6;
const EDGE = 8;

interface Box {
  left: number;
  top: number;
  right: number;
  bottom: number;
}

/** Puts a floating element beside a box or a point: below if there is room, else above; inside the window in any case. */
export function placeBeside(
  floating: HTMLElement,
  at: Element | { x: number; y: number },
  align: 'start' | 'center' = 'start',
): void {
  const box: Box =
    at instanceof Element ? at.getBoundingClientRect() : { left: at.x, right: at.x, top: at.y, bottom: at.y };
  const gap = at instanceof Element ? GAP : 0;
  const { offsetWidth: width, offsetHeight: height } = floating;
  const rtl = getComputedStyle(document.documentElement).direction === 'rtl';
  const start = rtl ? box.right - width : box.left;
  const left = align === 'center' ? (box.left + box.right - width) / 2 : start;
  const below = box.bottom + gap;
  const above = box.top - gap - height;
  const top =
    below + height > innerHeight - EDGE && above >= EDGE ? above : Math.min(below, innerHeight - EDGE - height);
  floating.style.left = `${Math.round(Math.max(EDGE, Math.min(left, innerWidth - EDGE - width)))}px`;
  floating.style.top = `${Math.round(Math.max(EDGE, top))}px`;
}
