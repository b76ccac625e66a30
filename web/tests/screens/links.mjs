// What whoever has a link sees.
import { picture, text } from '../support/samples.mjs';
import { dropFiles } from '../support/steps.mjs';
import { shown } from './acts.mjs';

export const links = [
  {
    name: 'link-password',
    out: true,
    path: (scene) => `/app/s/${scene.sharing.locked}`,
    act: async (page) => {
      await page.getByLabel('Password', { exact: true }).fill('a guess');
      await page.keyboard.press('Enter');
      await page.getByText('This is not its password.').waitFor();
    },
  },
  { name: 'link-gallery', out: true, path: (scene) => `/app/s/${scene.sharing.gallery}`, act: shown },
  {
    name: 'link-list',
    out: true,
    path: (scene) => `/app/s/${scene.sharing.gallery}`,
    act: async (page) => {
      await shown(page);
      await page.getByRole('button', { name: 'List', exact: true }).click();
      await page.getByRole('columnheader', { name: 'Name' }).waitFor();
    },
  },
  {
    name: 'link-file',
    out: true,
    path: (scene) => `/app/s/${scene.sharing.file}`,
    act: (page) => page.getByRole('button', { name: 'Download', exact: true }).waitFor(),
  },
  {
    name: 'link-drop',
    out: true,
    path: (scene) => `/app/s/${scene.sharing.drop}`,
    act: (page) => page.getByRole('button', { name: 'Choose files' }).waitFor(),
  },
  {
    name: 'link-dropped',
    out: true,
    path: (scene) => `/app/s/${scene.sharing.drop}`,
    act: async (page) => {
      await page.getByRole('button', { name: 'Choose files' }).waitFor();
      await page.route('**/children/slow*/content*', () => {});
      await dropFiles(page, [
        { name: 'Class picture 2025, with everybody in it.png', bytes: picture(320, 200, 20) },
        { name: 'report.pdf', bytes: text('report') },
        { name: 'slow film.mp4', bytes: text('film') },
      ]);
      await page.getByText('SHA-256').nth(1).waitFor();
    },
  },
  {
    name: 'link-editor',
    out: true,
    path: (scene) => `/app/s/${scene.sharing.editor}`,
    act: async (page) => {
      await shown(page);
      await dropFiles(page, [{ name: 'IMG 1.png', bytes: text('x') }]);
      await page.getByRole('button', { name: 'Keep both' }).waitFor();
    },
  },
  {
    name: 'link-gone',
    out: true,
    path: () => '/app/s/AAAAAAAAAAAAAAAAAAAAAA',
    act: (page) => page.getByText('This link opens nothing').waitFor(),
  },
];
