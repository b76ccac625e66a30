import { t } from './index';

const UNITS = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte', 'petabyte'] as const;

const formatsOf = (locale: string) => ({
  units: UNITS.map((unit) =>
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
  ),
  whole: new Intl.NumberFormat(locale),
  percent: new Intl.NumberFormat(locale, { style: 'percent', maximumFractionDigits: 0 }),
  day: new Intl.DateTimeFormat(locale, { day: 'numeric', month: 'short' }),
  dayOfYear: new Intl.DateTimeFormat(locale, { day: 'numeric', month: 'short', year: 'numeric' }),
  clock: new Intl.DateTimeFormat(locale, { timeStyle: 'short' }),
  exact: new Intl.DateTimeFormat(locale, { dateStyle: 'full', timeStyle: 'medium' }),
  exactUtc: new Intl.DateTimeFormat(locale, { dateStyle: 'full', timeStyle: 'medium', timeZone: 'UTC' }),
  relative: new Intl.RelativeTimeFormat(locale, { numeric: 'auto' }),
});

let locale = 'en';
let formats = formatsOf(locale);

/** Says how numbers, sizes and times are written from now on. */
export function setLocale(to: string): void {
  if (to === locale) return;
  locale = to;
  formats = formatsOf(to);
}

/** Formats of a part's own, made anew when the locale changes. */
export function byLocale<T>(make: (locale: string) => T): () => T {
  let made = { for: locale, formats: make(locale) };
  return () => {
    if (made.for !== locale) made = { for: locale, formats: make(locale) };
    return made.formats;
  };
}

/** `1.4 MB`: decimal units, as the makers of disks count, one digit after the point below 100. */
export function formatSize(bytes: number): string {
  let step = 0;
  let value = bytes;
  while (value >= 999.5 && step < UNITS.length - 1) {
    value /= 1000;
    step += 1;
  }
  const digits = step > 0 && value < 99.95 ? 1 : 0;
  return formats.units[step]?.[digits]?.format(value) ?? String(bytes);
}

/** `1,432,118 bytes`: the exact value, for whoever points at the short one. */
export function formatSizeExact(bytes: number): string {
  return formats.units[0]?.[0]?.format(bytes) ?? String(bytes);
}

export function formatCount(value: number): string {
  return formats.whole.format(value);
}

export function formatPercent(part: number): string {
  return formats.percent.format(part);
}

/** Short and human: `just now`, `5 minutes ago`, `14:32`, `3 Mar`, `3 Mar 2021`. */
export function formatTime(iso: string, now: number = Date.now()): string {
  const date = new Date(iso);
  const minutes = Math.round((now - date.getTime()) / 60_000);
  if (minutes >= 0 && minutes < 1) return t('time.now');
  if (minutes >= 0 && minutes < 60) return formats.relative.format(-minutes, 'minute');
  const today = new Date(now);
  if (date.toDateString() === today.toDateString()) return formats.clock.format(date);
  return date.getFullYear() === today.getFullYear() ? formats.day.format(date) : formats.dayOfYear.format(date);
}

export function formatTimeExact(iso: string): string {
  return formats.exact.format(new Date(iso));
}

/** A stretch of time as people say it: `8 s`, `3 min`, `1 h 20 min`. */
export function formatDuration(seconds: number): string {
  const rounded = Math.max(0, Math.round(seconds));
  if (rounded < 60) return t('duration.seconds', { count: rounded });
  const minutes = Math.round(rounded / 60);
  if (minutes < 60) return t('duration.minutes', { count: minutes });
  return t('duration.hours', { hours: Math.floor(minutes / 60), minutes: minutes % 60 });
}

/** A time by the clock of where it was, as a camera writes it, with its offset from UTC where that is known. */
export function formatClockOf(iso: string): string {
  const [, local, offset = ''] = iso.match(/^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\S*?([+-]\d\d:\d\d)?$/) ?? [];
  if (!local) return iso;
  const text = formats.exactUtc.format(new Date(`${local}Z`));
  return offset ? `${text} (UTC${offset})` : text;
}
