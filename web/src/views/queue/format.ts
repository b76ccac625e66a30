import { t } from '$lib/i18n';
import { byLocale, formatDuration } from '$lib/i18n/format';

const minute = { hour: '2-digit', minute: '2-digit' } as const;
const second = { ...minute, second: '2-digit' } as const;
const day = { weekday: 'short', day: 'numeric', month: 'short' } as const;
const formats = byLocale((locale) => ({
  exactTime: new Intl.DateTimeFormat(locale, second),
  hourMinute: new Intl.DateTimeFormat(locale, minute),
  dayAndTime: new Intl.DateTimeFormat(locale, { ...day, ...second }),
  dayAndMinute: new Intl.DateTimeFormat(locale, { ...day, ...minute }),
  tenths: new Intl.NumberFormat(locale, { maximumFractionDigits: 1 }),
}));

/** A stretch of time of any size: `12 ms`, `1.4 s`, `3 min`, `2 h 5 min`, `3 d`. */
export function formatSpan(ms: number): string {
  if (ms < 999.5) return t('queue.span.ms', { count: formats().tenths.format(ms < 10 ? ms : Math.round(ms)) });
  if (ms < 9_950) return t('queue.span.seconds', { count: formats().tenths.format(ms / 1000) });
  const hours = Math.round(ms / 60_000) / 60;
  if (hours < 48 && hours >= 1 && Number.isInteger(hours)) return t('queue.span.hours', { count: hours });
  if (hours >= 48) return t('queue.span.days', { count: formats().tenths.format(Math.round(hours / 2.4) / 10) });
  return formatDuration(ms / 1000);
}

/** How long from now: `in 5 min`, or that it is due; from a day on the time itself. */
export function formatAhead(iso: string, now: number): string {
  const ms = Date.parse(iso) - now;
  if (ms >= 86_400_000) return formatWhen(iso);
  return ms < 1000
    ? t('queue.due')
    : t('queue.in', { time: formatSpan(ms < 60_000 ? Math.round(ms / 1000) * 1000 : ms) });
}

export const formatClock = (iso: string): string => formats().exactTime.format(new Date(iso));
export const formatMinute = (at: number): string => formats().hourMinute.format(new Date(at));
/** A time to come: seconds only where they are meant. */
export const formatWhen = (iso: string): string =>
  (Date.parse(iso) % 60_000 === 0 ? formats().dayAndMinute : formats().dayAndTime).format(new Date(iso));
export const formatMoment = (iso: string): string => formats().dayAndTime.format(new Date(iso));

/** The name of a priority, or its number where it has none. */
export const PRIORITIES = { critical: -15, high: -10, medium: -5, normal: 0, low: 10 } as const;
export type PriorityName = keyof typeof PRIORITIES;

export function formatPriority(priority: number): string {
  const name = (Object.keys(PRIORITIES) as PriorityName[]).find((one) => PRIORITIES[one] === priority);
  return name ? t(`queue.priority.${name}`) : String(priority);
}

/** JSON on one line, short enough for a row. */
export function summaryOf(data: unknown): string {
  if (data === null || data === undefined) return '';
  if (typeof data !== 'object' || Array.isArray(data)) return JSON.stringify(data).slice(0, 300);
  return Object.entries(data)
    .map(([name, value]) => `${name}: ${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join(' · ')
    .slice(0, 300);
}
