// Folders and what is around them.
import { choose, entry } from '../support/steps.mjs';
import { folderOf, openMenu, shown } from './acts.mjs';

export const browse = [
  { name: 'grid', act: shown },
  { name: 'folder', path: folderOf, act: shown },
  {
    name: 'list',
    act: async (page) => {
      await shown(page);
      await page.getByRole('button', { name: 'List', exact: true }).click();
      await page.getByRole('columnheader', { name: 'Name' }).waitFor();
    },
  },
  {
    name: 'details',
    act: async (page, phone) => {
      await shown(page);
      await openMenu(page, phone, 'Two parrots.jpg');
      await choose(page, 'Details');
      await page.getByRole('complementary', { name: 'Details' }).waitFor();
    },
  },
  {
    name: 'selection',
    path: folderOf,
    act: async (page, phone) => {
      await shown(page);
      for (const name of ['IMG 2.png', 'IMG 3.png', 'IMG 5.png']) {
        if (phone) await entry(page, name).getByRole('checkbox').dispatchEvent('click');
        else await entry(page, name).click({ modifiers: ['Control'] });
      }
    },
  },
  {
    name: 'context-menu',
    act: async (page, phone) => {
      await shown(page);
      await openMenu(page, phone, 'Hats on a rail.jpg');
      await page.getByRole('menu').waitFor();
    },
  },
  {
    name: 'new-menu',
    act: async (page) => {
      await shown(page);
      await page.getByRole('button', { name: 'New', exact: true }).filter({ visible: true }).click();
      await page.getByRole('menu').waitFor();
    },
  },
  {
    name: 'new-folder',
    act: async (page) => {
      await shown(page);
      await page.getByRole('button', { name: 'New', exact: true }).filter({ visible: true }).click();
      await choose(page, 'New folder');
      await page.getByRole('dialog').waitFor();
    },
  },
  {
    name: 'account-menu',
    act: async (page) => {
      await shown(page);
      await page
        .getByRole('button', { name: /^Account/ })
        .filter({ visible: true })
        .click();
      await page.getByRole('menu').waitFor();
    },
  },
  {
    name: 'help',
    act: async (page) => {
      await shown(page);
      await page.keyboard.press('?');
      await page.getByRole('dialog', { name: 'Keyboard shortcuts' }).waitFor();
    },
  },
  {
    name: 'empty',
    act: async (page) => {
      await shown(page);
      await page.getByText('Recipes', { exact: true }).first().waitFor();
      await entry(page, 'Recipes').dblclick();
      if (!(await page.getByText('This folder is empty').isVisible()))
        await entry(page, 'Recipes')
          .click({ timeout: 1000 })
          .catch(() => {});
      await page.getByText('This folder is empty').waitFor();
    },
  },
  {
    name: 'notifications',
    path: () => '/app/notifications',
    act: (page) => page.getByRole('region', { name: 'What happened' }).waitFor(),
  },
];
