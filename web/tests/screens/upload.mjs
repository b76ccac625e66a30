// Files on their way.
import { picture, text } from '../support/samples.mjs';
import { dropFiles } from '../support/steps.mjs';
import { endUploads, shown } from './acts.mjs';

export const upload = [
  {
    name: 'uploading',
    act: async (page) => {
      await shown(page);
      await page.route('**/children/harvest*/content*', () => {});
      await dropFiles(page, [
        { name: `pumpkin ${Date.now()}.png`, bytes: picture(320, 200, 20) },
        ...[1, 2, 3, 4].map((n) => ({ name: `harvest ${n}.png`, bytes: picture(300, 200, n * 40) })),
      ]);
      await page.getByRole('region', { name: 'Uploads' }).getByText('Uploaded').first().waitFor();
    },
  },
  {
    name: 'upload-paused',
    act: async (page) => {
      await endUploads(page);
      await page.reload();
      await shown(page);
      await page.route('**/uploads/*', (route) =>
        route.request().method() === 'PATCH' ? undefined : route.continue(),
      );
      const names = ['harvest film.mov', 'drone flight.mov'];
      await page.evaluate((list) => {
        const data = new DataTransfer();
        for (const name of list) data.items.add(new File([new Uint8Array(9e6)], name));
        document.querySelector('main').dispatchEvent(new DragEvent('drop', { dataTransfer: data, bubbles: true }));
      }, names);
      const tray = page.getByRole('region', { name: 'Uploads' });
      await tray.getByText('0 bytes of 9 MB').nth(1).waitFor();
      await tray.getByRole('button', { name: 'Pause harvest film.mov' }).click();
      await tray.getByRole('button', { name: 'Go on with harvest film.mov' }).waitFor();
    },
  },
  {
    name: 'upload-unfinished',
    act: async (page) => {
      await shown(page);
      await endUploads(page);
      await page.evaluate(async () => {
        for (const [name, sent] of [
          ['wedding.mov', 7_400_000],
          ['disk image.iso', 9_000_000],
        ])
          await fetch('/api/v1/uploads', {
            method: 'POST',
            headers: {
              'Tus-Resumable': '1.0.0',
              'Upload-Length': '9000000',
              'Upload-Metadata': `filename ${btoa(name)}`,
              'Content-Type': 'application/offset+octet-stream',
            },
            body: new Uint8Array(Math.min(sent, 8_999_999)),
          });
      });
      await page.reload();
      await page
        .getByRole('region', { name: 'Uploads' })
        .getByText(/have arrived|another device/)
        .first()
        .waitFor();
    },
  },
  {
    name: 'conflict',
    act: async (page) => {
      await shown(page);
      await dropFiles(page, [
        { name: 'readings.csv', bytes: text('1') },
        { name: 'birdsong.wav', bytes: text('2') },
      ]);
      await page.getByRole('dialog').waitFor();
    },
  },
];
