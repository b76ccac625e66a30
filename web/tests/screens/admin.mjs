// What administrators see.
import { press } from './acts.mjs';

export const admin = [
  {
    name: 'admin-users',
    admin: true,
    path: () => '/app/admin',
    act: (page) =>
      page
        .getByRole('rowheader', { name: /ada.lovelace/ })
        .first()
        .waitFor(),
  },
  {
    name: 'admin-user',
    admin: true,
    path: (scene) => `/app/admin/users/${scene.people.ada.id}`,
    act: (page) => page.getByRole('meter').first().waitFor(),
  },
  {
    name: 'admin-user-menu',
    admin: true,
    path: () => '/app/admin',
    act: async (page) => {
      await page
        .getByRole('button', { name: /^Actions for ada.lovelace/ })
        .first()
        .click();
      await page.getByRole('menu').waitFor();
    },
  },
  {
    name: 'admin-new-user',
    admin: true,
    path: () => '/app/admin',
    act: async (page) => {
      await press(page, 'New user');
      await press(page, 'Make user');
      await page.getByText('Please enter an e-mail address').waitFor();
    },
  },
  {
    name: 'admin-quota',
    admin: true,
    path: (scene) => `/app/admin/users/${scene.people.ada.id}`,
    act: async (page) => {
      await press(page, 'Change limit');
      await page.getByRole('dialog').getByLabel('At most').fill('5');
      await page.getByText('stored already').waitFor();
    },
  },
  {
    name: 'admin-delete',
    admin: true,
    path: (scene) => `/app/admin/users/${scene.people.ada.id}`,
    act: async (page) => {
      await press(page, 'Delete account');
      await page.getByRole('alertdialog').waitFor();
    },
  },
  {
    name: 'admin-invitations',
    admin: true,
    path: () => '/app/admin/invitations',
    act: (page) =>
      page
        .getByRole('rowheader', { name: /katherine/ })
        .first()
        .waitFor(),
  },
  {
    name: 'admin-invitation',
    admin: true,
    path: () => '/app/admin/invitations',
    act: async (page) => {
      await press(page, 'New invitation');
      await press(page, 'Make invitation');
      await page.getByLabel('Link', { exact: true }).waitFor();
    },
  },
  {
    name: 'admin-groups',
    admin: true,
    path: () => '/app/admin/groups',
    act: (page) =>
      page
        .getByText(/grace.hopper/)
        .first()
        .waitFor(),
  },
  {
    name: 'admin-group',
    admin: true,
    path: () => '/app/admin/groups',
    act: async (page) => {
      await page
        .getByRole('button', { name: /^Greenhouse/ })
        .first()
        .click();
      await page.getByLabel('Add people').fill('alan');
      await page.getByRole('list', { name: 'People found' }).getByRole('button').first().waitFor();
    },
  },
  {
    name: 'admin-audit',
    admin: true,
    path: () => '/app/admin/audit',
    act: (page) => page.getByText('Invitation made').nth(1).waitFor(),
  },
  {
    name: 'admin-keys',
    admin: true,
    path: () => '/app/admin/keys',
    act: (page) => page.getByRole('button', { name: 'Rotate now' }).waitFor(),
  },
  {
    name: 'admin-not',
    path: () => '/app/admin',
    act: (page) => page.getByText('This is for administrators').waitFor(),
  },
  {
    name: 'admin-system',
    admin: true,
    path: () => '/app/admin/system',
    act: (page) => page.getByText('Longest wait').waitFor(),
  },
];
