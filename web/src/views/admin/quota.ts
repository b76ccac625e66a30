/** Decimal units, as sizes are shown. */
export const UNITS = { MB: 1e6, GB: 1e9, TB: 1e12 } as const;
export type Unit = keyof typeof UNITS;

/** Bytes as a number and a unit, exactly; bytes that fit no unit are rounded up to the next MB. */
export function splitBytes(bytes: number): { number: string; unit: Unit } {
  const unit = (['TB', 'GB'] as const).find((one) => bytes >= UNITS[one] && (bytes * 1000) % UNITS[one] === 0) ?? 'MB';
  const value = unit === 'MB' ? Math.ceil(bytes / UNITS.MB) : bytes / UNITS[unit];
  return { number: String(value), unit };
}

/** Bytes of what was typed, with a point or a comma; null for what is no size. */
export function joinBytes(number: string, unit: Unit): number | null {
  const text = number.trim().replace(',', '.');
  if (!/^\d+(\.\d+)?$/.test(text)) return null;
  const bytes = Math.round(Number(text) * UNITS[unit]);
  return Number.isSafeInteger(bytes) ? bytes : null;
}
