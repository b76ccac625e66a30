import { journey } from '../support/journey.mjs';
import { thumbnailsReady, upload } from '../support/product.mjs';
import { picture } from '../support/samples.mjs';
import { signIn } from '../support/steps.mjs';

journey('one’s own background jobs can be followed, down to the file', async ({ page, account }) => {
  await signIn(page, account, '/app/jobs');
  await page.getByRole('heading', { name: 'Activity' }).waitFor();
  const good = await upload(account, 'root', 'good.png', picture(200, 100));
  await upload(account, 'root', 'bad.png', picture(200, 100).subarray(0, 70));
  await thumbnailsReady(account, good.id);
  await page.reload();
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

journey('the storage used is shown and follows what is done', async ({ page, account }) => {
  await upload(account, 'root', 'a.bin', new Uint8Array(150_000));
  await signIn(page, account);
  await page
    .getByText(/150 kB/)
    .first()
    .waitFor();
});
