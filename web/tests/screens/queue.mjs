// Background jobs.
import { press } from './acts.mjs';

export const queue = [
  {
    name: 'jobs',
    path: () => '/app/jobs',
    act: (page) => page.getByRole('region', { name: 'Background jobs' }).waitFor(),
  },
  {
    name: 'queue-overview',
    admin: true,
    path: () => '/app/queue',
    act: (page) => page.getByRole('region', { name: 'Running now' }).getByRole('link').nth(1).waitFor(),
  },
  {
    name: 'queue-list',
    admin: true,
    path: () => '/app/queue/list',
    act: (page) => page.getByRole('table', { name: 'Jobs' }).waitFor(),
  },
  {
    name: 'queue-dead',
    admin: true,
    path: () => '/app/queue/dead',
    act: async (page) => {
      await page.getByRole('region', { name: 'Failed jobs by type' }).waitFor();
      await page.getByRole('table', { name: 'Dead letters' }).waitFor();
    },
  },
  {
    name: 'queue-types',
    admin: true,
    path: () => '/app/queue/types',
    act: (page) => page.getByRole('button', { name: 'Pause transcode' }).waitFor(),
  },
  {
    name: 'queue-schedules',
    admin: true,
    path: () => '/app/queue/schedules',
    act: (page) => page.getByRole('region', { name: 'Schedules' }).waitFor(),
  },
  {
    name: 'queue-schedule',
    admin: true,
    path: () => '/app/queue/schedules',
    act: async (page) => {
      await press(page, 'New schedule');
      await page.getByLabel('Cron expression').fill('30 3 * * MON-FRI');
      await page.getByRole('region', { name: 'Next times' }).getByRole('listitem').nth(4).waitFor();
    },
  },
  {
    name: 'queue-new-job',
    admin: true,
    path: () => '/app/queue/list',
    act: async (page) => {
      await press(page, 'New job');
      await page.getByRole('dialog').getByLabel('Data (JSON)').fill('{ "a": 1, }');
      await press(page, 'Create job');
      await page.getByText('This is not JSON').waitFor();
    },
  },
  {
    name: 'queue-failed-job',
    admin: true,
    path: (scene) => `/app/queue/${scene.queue.failed}`,
    act: (page) => page.getByText('Attempt 3', { exact: true }).waitFor(),
  },
  {
    name: 'queue-running-job',
    admin: true,
    path: (scene) => `/app/queue/${scene.queue.active}`,
    act: (page) => page.getByRole('region', { name: 'Log' }).getByText('pass 1 of 2').waitFor(),
  },
];
