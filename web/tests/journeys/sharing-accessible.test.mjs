// The screens of sharing, of links and of uploads that wait, against axe-core's rules for WCAG 2.2 AA.
import { check } from '../support/axe.mjs';
import { address } from '../support/browser.mjs';
import { journey } from '../support/journey.mjs';
import { makeFolder, ok, thumbnailsReady, upload } from '../support/product.mjs';
import { picture, text } from '../support/samples.mjs';
import { furnishSharing } from '../support/sharing.mjs';
import { dropFiles, entry, signIn } from '../support/steps.mjs';

/** A folder with pictures, one of them below another folder, and what shares them. */
async function furnish(account) {
  const box = await makeFolder(account, 'root', 'Photos');
  const photo = await upload(account, box.id, 'sea.png', picture(600, 400, 200));
  await makeFolder(account, box.id, 'Day one');
  await thumbnailsReady(account, photo.id);
  return { photosFolder: box.id, ...(await furnishSharing(account, { photosFolder: box.id, firstPhoto: photo.id })) };
}

for (const { scheme, phone } of [
  { scheme: 'light', phone: false },
  { scheme: 'dark', phone: true },
]) {
  journey(
    `axe finds nothing about sharing, ${scheme}${phone ? ', phone' : ''}`,
    async ({ page, account }) => {
      await signIn(page, account, '/app/shared');
      for (const part of ['', '/by-me', '/access']) {
        await page.goto(`${address}/app/shared${part}`);
        // one is signed in, which opens one's files
        if (part === '/access') await page.getByRole('table').getByText('Signed in').first().waitFor();
        else await page.getByRole('button', { name: 'Go to your files' }).waitFor();
        await check(page, `nothing shared${part}`);
      }
      const scene = await furnish(account);
      for (const part of ['', '/by-me', '/access']) {
        await page.goto(`${address}/app/shared${part}`);
        await page.getByRole('table').waitFor();
        await check(page, `shared${part}`);
      }
      await page.goto(`${address}/app/files/${scene.lent}`);
      await page.getByText('View only').waitFor();
      await check(page, 'a folder to look at');

      await page.goto(`${address}/app/files/${scene.photosFolder}`);
      await entry(page, 'sea.png').waitFor();
      await page.getByRole('button', { name: 'Share this folder' }).click();
      const dialog = page.getByRole('dialog');
      await dialog.getByText('Grandparents').waitFor();
      await check(page, 'sharing');
      await page.getByRole('combobox', { name: 'Add people or groups' }).pressSequentially('gustav');
      await page.getByRole('option').first().waitFor();
      await check(page, 'people found');
      await page.keyboard.press('Escape');
      await page.getByRole('combobox', { name: 'Add people or groups' }).fill('');
      await dialog.getByRole('button', { name: 'QR code' }).first().click();
      await dialog.getByRole('img', { name: /QR code/ }).waitFor();
      await dialog.getByRole('button', { name: 'End: Grandparents' }).click();
      await dialog.getByRole('button', { name: 'Keep it', exact: true }).waitFor();
      await check(page, 'picture of a link, and the question whether to end one');
      await dialog.getByRole('button', { name: 'New link' }).click();
      await dialog.getByLabel('Download limit').fill('none');
      await dialog.getByRole('button', { name: 'Make link' }).click();
      await dialog.getByText('Please enter a whole number').waitFor();
      await check(page, 'new link, with mistakes');

      const begun = {
        ...{ 'Tus-Resumable': '1.0.0', 'Upload-Length': '9000000' },
        'Upload-Metadata': `filename ${btoa('film.mkv')}`,
      };
      await fetch(`${address}/api/v1/uploads`, {
        method: 'POST',
        headers: { ...begun, Authorization: `Bearer ${account.token}` },
      });
      await page.goto(`${address}/app/files`);
      await page.getByRole('region', { name: 'Uploads' }).getByText('1 upload is unfinished').first().waitFor();
      await check(page, 'an upload that is unfinished');

      await page.context().clearCookies();
      await page.goto(`${address}/app/s/${scene.locked}`);
      await page.getByRole('button', { name: 'Open', exact: true }).waitFor();
      await page.getByRole('button', { name: 'Open', exact: true }).click();
      await check(page, 'password of a link');
      await page.goto(`${address}/app/s/${scene.gallery}`);
      await entry(page, 'sea.png').waitFor();
      await check(page, 'gallery of a link');
      await page.getByRole('button', { name: 'List', exact: true }).click();
      await page.getByRole('columnheader', { name: 'Name' }).waitFor();
      await check(page, 'list of a link');
      await page.goto(`${address}/app/s/${scene.file}`);
      await page.getByRole('button', { name: 'Download', exact: true }).waitFor();
      await check(page, 'file of a link');
      await page.goto(`${address}/app/s/${scene.editor}`);
      await entry(page, 'sea.png').waitFor();
      await dropFiles(page, [{ name: 'sea.png', bytes: text('x') }]);
      await page.getByRole('button', { name: 'Keep both' }).waitFor();
      await check(page, 'a name that is taken by a link');
      await page.goto(`${address}/app/s/${scene.drop}`);
      await page.getByRole('button', { name: 'Choose files' }).waitFor();
      await check(page, 'drop folder');
      await dropFiles(page, [{ name: 'report.txt', bytes: text('report') }]);
      await page.getByText('1 file has arrived').waitFor();
      await check(page, 'receipts');
      await ok('DELETE', `/files/${scene.photosFolder}`, { token: account.token });
      await page.goto(`${address}/app/s/${scene.gallery}`);
      await page.getByText('This link opens nothing').waitFor();
      await check(page, 'a link that has ended');
    },
    { scheme, phone },
  );
}
