// Sharing, and what is shared.
import { choose } from '../support/steps.mjs';
import { folderOf, openMenu, press, shown } from './acts.mjs';

export const sharing = [
  {
    name: 'share',
    path: folderOf,
    act: async (page) => {
      await shown(page);
      await page.getByRole('button', { name: 'Share this folder' }).click();
      await page.getByRole('dialog').getByText('Grandparents').waitFor();
    },
  },
  {
    name: 'share-search',
    path: folderOf,
    act: async (page) => {
      await shown(page);
      await page.getByRole('button', { name: 'Share this folder' }).click();
      await page.getByRole('dialog').getByText('Grandparents').waitFor();
      await page.getByRole('combobox', { name: 'Add people or groups' }).pressSequentially('g');
      await page.getByRole('option').first().waitFor();
    },
  },
  {
    name: 'share-inherited',
    path: folderOf,
    act: async (page, phone) => {
      await shown(page);
      await openMenu(page, phone, 'IMG 2.png');
      await choose(page, /^Share…/);
      await page.getByRole('dialog').getByText('from Photos').first().waitFor();
    },
  },
  {
    name: 'share-link',
    path: folderOf,
    act: async (page) => {
      await shown(page);
      await page.getByRole('button', { name: 'Share this folder' }).click();
      await page.getByRole('dialog').getByText('Grandparents').waitFor();
      await press(page, 'New link');
      await page.getByLabel('Download limit').fill('none');
      await press(page, 'Make link');
      await page.getByText('Please enter a whole number').waitFor();
    },
  },
  {
    name: 'share-qr',
    path: folderOf,
    act: async (page) => {
      await shown(page);
      await page.getByRole('button', { name: 'Share this folder' }).click();
      await page.getByRole('dialog').getByText('Grandparents').waitFor();
      await page.getByRole('button', { name: 'QR code' }).last().click();
      const code = page.getByRole('img', { name: /QR code of/ });
      await code.waitFor();
      await code.scrollIntoViewIfNeeded();
    },
  },
  { name: 'shared-with-me', path: () => '/app/shared', act: (page) => page.getByRole('table').waitFor() },
  { name: 'shared-by-me', path: () => '/app/shared/by-me', act: (page) => page.getByRole('table').waitFor() },
  { name: 'shared-access', path: () => '/app/shared/access', act: (page) => page.getByRole('table').waitFor() },
  {
    name: 'shared-folder',
    path: (scene) => `/app/files/${scene.sharing.lent}`,
    act: (page) => page.getByText('View only').waitFor(),
  },
];
