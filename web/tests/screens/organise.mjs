// Putting things in order.
import { choose, entry, grid } from '../support/steps.mjs';
import { openMenu, shown } from './acts.mjs';

export const organise = [
  {
    name: 'move',
    act: async (page, phone) => {
      await shown(page);
      await openMenu(page, phone, 'Hats on a rail.jpg');
      await choose(page, /Move to…/);
      await page.getByRole('dialog').getByRole('button', { name: 'Recipes' }).waitFor();
    },
  },
  {
    name: 'rename',
    act: async (page, phone) => {
      await shown(page);
      await openMenu(page, phone, 'Two parrots.jpg');
      await choose(page, /Rename/);
      await page.getByRole('textbox', { name: /^New name for/ }).waitFor();
    },
  },
  { name: 'trash', path: () => '/app/trash', act: shown },
  {
    name: 'empty-trash',
    path: () => '/app/trash',
    act: async (page) => {
      await shown(page);
      await page.getByRole('button', { name: 'Empty trash', exact: true }).click();
      await page.getByRole('alertdialog').waitFor();
    },
  },
  { name: 'recents', path: () => '/app/recents', act: shown },
  { name: 'starred', path: () => '/app/starred', act: shown },
  { name: 'tags', path: () => '/app/tags', act: (page) => page.getByRole('link', { name: /garden/ }).waitFor() },
  { name: 'tagged', path: () => '/app/tags?tag=garden', act: shown },
  {
    name: 'tagged-none',
    path: () => '/app/tags?tag=nobody',
    act: (page) => page.getByText('Nothing has this tag').waitFor(),
  },
  {
    name: 'tagging',
    path: () => '/app/starred',
    act: async (page) => {
      await shown(page);
      await grid(page).focus();
      await page.keyboard.press('Control+a');
      await page.keyboard.press('t');
      await page.getByRole('dialog').getByRole('combobox').fill('g');
      await page.getByRole('option', { name: 'garden' }).waitFor();
    },
  },
  {
    name: 'copying',
    act: async (page) => {
      await shown(page);
      await entry(page, 'Recipes')
        .getByRole('button', { name: /Actions/ })
        .dispatchEvent('click');
      await choose(page, /Copy to/);
      await page.getByRole('dialog').getByText('Invoices').waitFor();
    },
  },
  {
    name: 'versions',
    path: () => '/app/recents',
    act: async (page) => {
      await shown(page);
      await entry(page, 'Notes from the workshop.md')
        .getByRole('button', { name: /Actions/ })
        .dispatchEvent('click');
      await choose(page, 'Versions');
      await page.getByRole('button', { name: 'Actions for version 1' }).click();
      await choose(page, 'Compare with now');
      await page.getByText('less than now').waitFor();
    },
  },
];
