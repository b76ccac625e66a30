import type { ApiError } from '$lib/api/problem';
import type { JobRequest } from '$lib/api/types';
import { t } from '$lib/i18n';
import { PRIORITIES, type PriorityName } from './format';
import { parseSpan, parseWhole } from './span';

/** What a job, or the jobs of a schedule, are described by in a form. */
export interface JobFields {
  type: string;
  data: string;
  priority: string;
  attempts: string;
}

export type Wrong<F> = Partial<Record<keyof F, string>>;

/** Reads JSON; a field left empty is no data. */
export function parseJson(text: string): { value: unknown } | { wrong: string } {
  if (!text.trim()) return { value: null };
  try {
    return { value: JSON.parse(text) };
  } catch (thrown) {
    return { wrong: t('queue.create.data.wrong', { reason: thrown instanceof Error ? thrown.message : '' }) };
  }
}

/** The choices of a priority; one without a name stands among them while it is chosen. */
export function priorityOptions(current: string): { value: string; label: string }[] {
  const named = (Object.keys(PRIORITIES) as PriorityName[]).map((name) => ({
    value: String(PRIORITIES[name]),
    label: t('queue.priority.named', { name: t(`queue.priority.${name}`), number: PRIORITIES[name] }),
  }));
  return named.some(({ value }) => value === current) ? named : [...named, { value: current, label: current }];
}

/** The members that jobs and schedules have in common, or what is wrong with the fields. */
export function readFields(fields: JobFields): { body: JobRequest | null; wrong: Wrong<JobFields> } {
  const wrong: Wrong<JobFields> = {};
  const type = fields.type.trim();
  if (!type) wrong.type = t('queue.create.type.missing');
  const data = parseJson(fields.data);
  if ('wrong' in data) wrong.data = data.wrong;
  const attempts = parseWhole(fields.attempts);
  if (attempts === null || attempts < 1 || attempts > 1000) wrong.attempts = t('queue.create.attempts.wrong');
  if ('wrong' in data || attempts === null || Object.keys(wrong).length > 0) return { body: null, wrong };
  return { body: { type, data: data.value, priority: Number(fields.priority), attempts }, wrong };
}

/** Milliseconds of a delay; nothing for an empty field, null for one that cannot be read. */
export function readDelay(text: string): number | undefined | null {
  return text.trim() ? parseSpan(text) : undefined;
}

/** What the server says of single fields, by their names. */
export function wrongOf<F extends string>(error: ApiError, names: readonly F[]) {
  const wrong: Partial<Record<F, string>> = {};
  for (const { pointer, detail } of error.fields) {
    const name = names.find((one) => pointer === `/${one}` || pointer === `?${one}`);
    if (name) wrong[name] ??= sentence(detail);
  }
  return wrong;
}

/** As a sentence, as all messages are. */
const sentence = (text: string) =>
  text.charAt(0).toLocaleUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? '' : '.');
