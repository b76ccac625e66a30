const UNITS = new Map([
  ['ms', 1],
  ['s', 1000],
  ['sec', 1000],
  ['m', 60_000],
  ['min', 60_000],
  ['h', 3_600_000],
  ['d', 86_400_000],
]);

/** Milliseconds that a text such as `30 s`, `1.5 h` or `2 h 30 min` means; null if it means none. A bare number is seconds. */
export function parseSpan(text: string): number | null {
  const trimmed = text.trim().toLowerCase().replace(',', '.');
  if (/^\d+(\.\d+)?$/.test(trimmed)) return Math.round(Number(trimmed) * 1000);
  const parts = [...trimmed.matchAll(/(\d+(?:\.\d+)?)\s*([a-z]+)\s*/g)];
  if (parts.length === 0 || parts.map(([whole]) => whole).join('') !== trimmed) return null;
  let ms = 0;
  for (const [, number, unit] of parts) {
    const size = UNITS.get(unit ?? '');
    if (size === undefined) return null;
    ms += Number(number) * size;
  }
  return Math.round(ms);
}

/** The text that means so many milliseconds, for a field to begin with. */
export function spanText(ms: number): string {
  for (const unit of ['d', 'h', 'min', 's'] as const) {
    const size = UNITS.get(unit) ?? 1;
    if (ms >= size && ms % size === 0) return `${ms / size} ${unit}`;
  }
  return `${ms} ms`;
}

/** A whole number, or null. */
export function parseWhole(text: string): number | null {
  const trimmed = text.trim();
  return /^[-+]?\d+$/.test(trimmed) ? Number(trimmed) : null;
}
