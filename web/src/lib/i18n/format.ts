import { t } from './index';

const locale = typeof navigator === 'undefined' ? 'en' : navigator.language;

const units = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte', 'petabyte'] as const;

const unitFormats = units.map((unit) =>
  [0, 1].map(
    (digits) =>
      new Intl.NumberFormat(locale, {
        style: 'unit',
        unit,
        unitDisplay: unit === 'byte' ? 'long' : 'short',
        minimumFractionDigits: 0,
        maximumFractionDigits: digits,
      }),
  ),
);
const whole = new Intl.NumberFormat(locale);
const percent = new Intl.NumberFormat(locale, { style: 'percent', maximumFractionDigits: 0 });
const day = new Intl.DateTimeFormat(locale, { day: 'numeric', month: 'short' });
const dayOfYear = new Intl.DateTimeFormat(locale, { day: 'numeric', month: 'short', year: 'numeric' });
const clock = new Intl.DateTimeFormat(locale, { timeStyle: 'short' });
const exact = new Intl.DateTimeFormat(locale, { dateStyle: 'full', timeStyle: 'medium' });
const relative = new Intl.RelativeTimeFormat(locale, { numeric: 'auto' });

/** `1.4 MB`: decimal units, as the makers of disks count, one digit after the point below 100. */
export function formatSize(bytes: number): string {
  let step = 0;
  let value = bytes;
  while (value >= 999.5 && step < units.length - 1) {
    value /= 1000;
    step += 1;
  }
  const digits = step > 0 && value < 99.95 ? 1 : 0;
  return unitFormats[step]?.[digits]?.format(value) ?? String(bytes);
}

/** `1,432,118 bytes`: the exact value, for whoever points at the short one. */
export function formatSizeExact(bytes: number): string {
  return unitFormats[0]?.[0]?.format(bytes) ?? String(bytes);
}

export function formatCount(value: number): string {
  return whole.format(value);
}

export function formatPercent(part: number): string {
  return percent.format(part);
}

/** Short and human: `just now`, `5 minutes ago`, `14:32`, `3 Mar`, `3 Mar 2021`. */
export function formatTime(iso: string, now: number = Date.now()): string {
  const date = new Date(iso);
  const minutes = Math.round((now - date.getTime()) / 60_000);
  if (minutes >= 0 && minutes < 1) return t('time.now');
  if (minutes >= 0 && minutes < 60) return relative.format(-minutes, 'minute');
  const today = new Date(now);
  if (date.toDateString() === today.toDateString()) return clock.format(date);
  return date.getFullYear() === today.getFullYear() ? day.format(date) : dayOfYear.format(date);
}

export function formatTimeExact(iso: string): string {
  return exact.format(new Date(iso));
}

/** A stretch of time as people say it: `8 s`, `3 min`, `1 h 20 min`. */
export function formatDuration(seconds: number): string {
  const rounded = Math.max(0, Math.round(seconds));
  if (rounded < 60) return t('duration.seconds', { count: rounded });
  const minutes = Math.round(rounded / 60);
  if (minutes < 60) return t('duration.minutes', { count: minutes });
  return t('duration.hours', { hours: Math.floor(minutes / 60), minutes: minutes % 60 });
}
