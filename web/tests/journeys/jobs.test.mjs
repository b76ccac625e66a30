import { journey } from '../support/journey.mjs';
import { ok, thumbnailsReady, upload } from '../support/product.mjs';
import { administrator, claim, makeJob, report } from '../support/queue.mjs';
import { picture } from '../support/samples.mjs';
import { signIn } from '../support/steps.mjs';

journey('one’s own background jobs can be followed, down to the file', async ({ page, account }) => {
  await signIn(page, account, '/app/jobs');
  await page.getByRole('heading', { name: 'Activity' }).waitFor();
  const good = await upload(account, 'root', 'good.png', picture(200, 100));
  await upload(account, 'root', 'bad.png', picture(200, 100).subarray(0, 70));
  await thumbnailsReady(account, good.id);
  // Told by events: nothing has to be read again by hand.
  const list = page.getByRole('region', { name: 'Background jobs' });
  await list.getByRole('link', { name: 'good.png' }).waitFor();
  await list.getByText('Done').first().waitFor();
  await page
    .getByRole('button', { name: /^Failed 1$/ })
    .filter({ visible: true })
    .waitFor({ timeout: 60_000 });
  await page.getByRole('button', { name: /^Failed/ }).click();
  await list.getByRole('link', { name: 'good.png' }).waitFor({ state: 'detached' });
  await list.getByText(/^Failed/).waitFor();
  await list.getByRole('link', { name: 'bad.png' }).click();
  await page.getByRole('dialog', { name: 'Viewing bad.png' }).waitFor();
  await page.goBack();
  await list.getByRole('link', { name: 'bad.png' }).waitFor();
});

journey('progress and what a job says are shown as they come', async ({ page, account }) => {
  const admin = await administrator();
  const me = await ok('GET', '/users/me', { token: account.token });
  const type = `film-${me.id}`;
  await signIn(page, account, '/app/jobs');
  await page.getByText('Live', { exact: true }).waitFor({ timeout: 45_000 });
  await makeJob(admin, { type, userId: me.id });
  const list = page.getByRole('region', { name: 'Background jobs' });
  await list.getByText('Waiting', { exact: true }).waitFor();
  const [claimed] = await claim(admin, type);
  await report(claimed, admin, 'progress', { progress: 30, data: 'Scene 3 of 10' });
  await list.getByText('Scene 3 of 10').waitFor();
  await list.getByText('30%').waitFor();
  await report(claimed, admin, 'progress', { progress: 60, data: 'Scene 6 of 10' });
  await list.getByText('Scene 6 of 10').waitFor();
  await report(claimed, admin, 'fail', { error: 'the reel is torn' });
  await list.getByText('the reel is torn').waitFor();
});

journey('without events it is asked now and then', async ({ page, account }) => {
  const admin = await administrator();
  const me = await ok('GET', '/users/me', { token: account.token });
  const type = `polled-${me.id}`;
  await page.route('**/jobs/events', (route) => route.abort());
  await makeJob(admin, { type, userId: me.id });
  await signIn(page, account, '/app/jobs');
  await page.getByText('Not live', { exact: true }).waitFor();
  const list = page.getByRole('region', { name: 'Background jobs' });
  await list.getByText('Waiting', { exact: true }).waitFor();
  const [claimed] = await claim(admin, type);
  await report(claimed, admin, 'complete', {});
  await list.getByText('Done', { exact: true }).waitFor();
});

journey('the storage used is shown and follows what is done', async ({ page, account }) => {
  await upload(account, 'root', 'a.bin', new Uint8Array(150_000));
  await signIn(page, account);
  await page
    .getByText(/150 kB/)
    .first()
    .waitFor();
});
