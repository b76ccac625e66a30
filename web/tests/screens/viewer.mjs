// Files shown whole.
import { view } from './acts.mjs';

export const viewer = [
  {
    name: 'playing',
    act: async (page, phone) => {
      await view(page, phone, 'birdsong.wav', (dialog) => dialog.locator('audio').waitFor());
      await page.locator('audio').evaluate((one) => {
        one.muted = true;
        // It lasts a second.
        one.playbackRate = 0.07;
        return one.play();
      });
      await page.keyboard.press('Escape');
      await page.getByRole('region', { name: 'Playing' }).waitFor();
    },
  },
  {
    name: 'viewer',
    path: (scene) => `/app/files?view=${scene.firstPhoto}`,
    act: async (page) => {
      await page.getByRole('dialog').locator('img').first().waitFor();
      await page.waitForFunction(() =>
        [...document.querySelectorAll('[role=dialog] img')].every((image) => image.complete && image.naturalWidth > 0),
      );
    },
  },
  {
    name: 'viewer-text',
    act: (page, phone) =>
      view(page, phone, 'Notes from the workshop.md', (dialog) => dialog.getByText('seeds arrive').waitFor()),
  },
  {
    name: 'viewer-pdf',
    act: (page, phone) =>
      view(page, phone, 'Lease agreement.pdf', (dialog) => dialog.locator('canvas[data-drawn]').first().waitFor()),
  },
  {
    name: 'viewer-code',
    act: (page, phone) =>
      view(page, phone, 'greenhouse.py', (dialog) => dialog.locator('.hljs-keyword').first().waitFor()),
  },
  {
    name: 'viewer-table',
    act: (page, phone) => view(page, phone, 'readings.csv', (dialog) => dialog.getByRole('table').waitFor()),
  },
  {
    name: 'viewer-audio',
    act: (page, phone) =>
      view(page, phone, 'birdsong.wav', (dialog) => dialog.getByText('Blackbird at dawn').waitFor()),
  },
];
