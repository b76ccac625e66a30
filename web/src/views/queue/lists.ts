import { apiQuery, type Filter, filterQuery } from './filter';
import { JobsList } from './list.svelte';

/** Lists looked at lately, so that coming back from a job shows them at once while they are read again. */
const KEPT = 8;
const kept = new Map<string, JobsList>();

export function listOf(filter: Filter): JobsList {
  const key = filterQuery(filter);
  const list = kept.get(key) ?? new JobsList(() => apiQuery(filter, Date.now()));
  kept.delete(key);
  kept.set(key, list);
  const oldest = kept.keys().next();
  if (kept.size > KEPT && !oldest.done) kept.delete(oldest.value);
  return list;
}

/** Another user may not see what the last one saw. */
export function forgetLists(): void {
  kept.clear();
}
