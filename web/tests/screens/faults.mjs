// What goes wrong.
import { choose, entry } from '../support/steps.mjs';
import { folderOf, openMenu, press, shown } from './acts.mjs';

export const faults = [
  {
    name: 'failed',
    act: async (page) => {
      await shown(page);
      const results = Array.from({ length: 2 }, () => ({ status: 409, code: 'name_taken', detail: 'taken' }));
      await page.route('**/files/batch', (route) => route.fulfill({ json: { results } }));
      await entry(page, 'Two parrots.jpg').click({ modifiers: ['Control'] });
      await entry(page, 'Hats on a rail.jpg').click({ modifiers: ['Control'] });
      await page.keyboard.press('Delete');
      await press(page, 'Show why');
      await page.getByRole('dialog').getByText('Choose another one').nth(1).waitFor();
    },
  },
  {
    name: 'toast',
    path: folderOf,
    act: async (page, phone) => {
      await shown(page);
      await openMenu(page, phone, 'IMG 9.png');
      await choose(page, /Move to trash/);
      await page.getByText('Moved “IMG 9.png”').waitFor();
      await page.keyboard.press('Control+z');
      await page.getByText('Undone').waitFor();
    },
  },
  {
    name: 'error',
    act: async (page) => {
      await shown(page);
      await page.route('**/children*', (route) =>
        route.fulfill({
          status: 503,
          headers: { 'Retry-After': '30' },
          contentType: 'application/problem+json',
          body: JSON.stringify({
            type: 'about:blank',
            title: 'Unavailable',
            status: 503,
            detail: 'away',
            code: 'unavailable',
            error: 'away',
            requestId: 'req-5f1c',
          }),
        }),
      );
      await page.reload();
      await page.getByText('could not be read').waitFor();
    },
  },
  {
    name: 'offline',
    act: async (page) => {
      await shown(page);
      await page.context().setOffline(true);
      await page.getByText('No connection').waitFor();
    },
  },
  {
    name: 'not-there',
    path: () => '/app/files/0123456789abcdef01234567',
    act: (page) => page.getByText('This folder is not there').waitFor(),
  },
];
