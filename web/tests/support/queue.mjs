// Jobs of all states, by the API that programs use to work them.
import { ADMIN, ensureSetUp, ok } from './product.mjs';

/** The first administrator, with a token for calls. */
export async function administrator() {
  await ensureSetUp();
  const login = await ok('POST', '/auth/login', { body: { ...ADMIN, session: 'token' } });
  return { ...ADMIN, token: login.accessToken };
}

export const makeJob = async (admin, job) => (await ok('POST', '/jobs', { body: job, token: admin.token })).id;

/** Claims jobs of a type as a worker does. */
export async function claim(admin, type, max = 1) {
  // A job that failed is there again a moment later.
  const body = { types: [type], workerId: 'worker-7', max, leaseMs: 600_000, waitMs: 10_000 };
  return (await ok('POST', '/jobs/claim', { body, token: admin.token })).items;
}

export const report = ({ job, lease }, admin, what, body) =>
  ok('POST', `/jobs/${job.id}/${what}`, { body: { lease, ...body }, token: admin.token });

/** Makes a job that fails for good, and gives its id. */
export async function makeDead(admin, type, error, job = {}) {
  const id = await makeJob(admin, { type, ...job });
  for (let attempt = job.attempts ?? 1; attempt > 0; attempt--) {
    const [claimed] = await claim(admin, type);
    await report(claimed, admin, 'fail', { error });
  }
  return id;
}

export const jobOf = (admin, id) => ok('GET', `/jobs/${id}`, { token: admin.token });

/** A queue as one might find it, for pictures. Gives the ids of some jobs. */
export async function furnishQueue(admin) {
  const make = (type, data, more = {}) => makeJob(admin, { type, data, ...more });
  // What an earlier run left behind would stand in the way.
  await ok('DELETE', '/jobs/types/transcode/limit', { token: admin.token });
  for (let n = 1; n <= 34; n++)
    await make('report.build', { month: `2026-${String((n % 12) + 1).padStart(2, '0')}`, n });
  for (const done of await claim(admin, 'report.build', 30)) {
    await report(done, admin, 'log', { line: 'reading 12,480 rows' });
    await report(done, admin, 'complete', { result: { pages: 14, file: 'report.pdf' } });
  }
  const timeout = 'TimeoutError: mail.example.org did not answer within 30 s\n    at connect (smtp.js:88:11)';
  for (let n = 1; n <= 5; n++)
    await makeDead(admin, 'mail.digest', timeout, { data: { to: `reader${n}@example.org`, issue: 118 } });
  const failed = await makeDead(
    admin,
    'import.csv',
    'ParseError: line 4,211 has 7 fields where 8 were expected\n    at parse (csv.js:310:9)\n    at Import.run (import.js:52:14)',
    { data: { file: 'customers-2026-03.csv', rows: 18_220, options: { header: true, comma: ';' } }, attempts: 3 },
  );
  for (let n = 1; n <= 3; n++)
    await make('transcode', { film: `holiday ${n}.mov`, height: 1080 }, { priority: 'high' });
  const [active, other] = await claim(admin, 'transcode', 2);
  await report(active, admin, 'log', { line: 'opening holiday 1.mov' });
  await report(active, admin, 'log', { line: 'audio: aac, 2 channels; video: h264, 3840 × 2160' });
  await report(active, admin, 'log', { line: 'pass 1 of 2 done in 41 s' });
  await report(active, admin, 'progress', { progress: 62, data: 'Second pass, 1,488 of 2,400 frames' });
  await report(other, admin, 'progress', { progress: 8, data: 'First pass' });
  await make('mail.digest', { to: 'editor@example.org', issue: 119 }, { delayMs: 7_200_000 });
  await make('cleanup', { olderThan: '30 d' }, { delayMs: 300_000, priority: 'low' });
  await make('cleanup', { olderThan: '90 d' }, { uniqueKey: `cleanup/90d/${Date.now()}`, priority: 'critical' });
  const cancelled = await make('report.build', { month: '2025-12' });
  await ok('POST', `/jobs/${cancelled}/cancel`, { token: admin.token });
  const put = (path, body) => ok('PUT', path, { body, token: admin.token });
  await put('/jobs/types/transcode/limit', { max: 4, perMs: 60_000 });
  await ok('POST', '/jobs/pause', { body: { type: 'cleanup' }, token: admin.token });
  const schedule = (body) => ok('POST', '/jobs/schedules', { body, token: admin.token });
  await schedule({ name: 'Nightly digest', cron: '30 3 * * *', timeZone: 'Europe/Berlin', type: 'mail.digest' });
  await schedule({ name: 'Month-end report', cron: '0 6 1 * *', type: 'report.build', attempts: 3, noOverlap: true });
  await schedule({ name: 'Tidy up', cron: '*/15 * * * MON-FRI', type: 'cleanup', paused: true });
  return { failed, active: active.job.id };
}
