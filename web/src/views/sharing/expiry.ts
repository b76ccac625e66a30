/** A day of the reader's own calendar, as a field of dates wants it: `2026-11-26`. */
export function localOf(iso: string): string {
  const date = new Date(iso);
  const two = (value: number) => String(value).padStart(2, '0');
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

/** The end of such a day, where the reader is: what ends on a day holds all through it. */
export function dayEnd(day: string): string {
  return new Date(`${day}T23:59:59`).toISOString();
}
