// What several screens do before their picture is taken.
import { entry, grid } from '../support/steps.mjs';

export const shown = (page) => grid(page).waitFor();
export const press = (page, name) =>
  page.getByRole('button', { name, exact: true }).filter({ visible: true }).first().click();
/** Ends what an earlier picture has begun. */
export const endUploads = (page) =>
  page.evaluate(async () => {
    const { items } = await (await fetch('/api/v1/uploads')).json();
    for (const { id } of items) await fetch(`/api/v1/uploads/${id}`, { method: 'DELETE' });
  });
/** Has the page believe that the account's export stands so. */
export const showExport = async (page, state) => {
  const times = { requestedAt: new Date(), endedAt: new Date(), expiresAt: new Date(Date.now() + 7 * 86_400_000) };
  const body = JSON.stringify({ ...times, sizeBytes: null, url: null, ...state });
  await page.route('**/api/v1/users/me/export', (route) => route.fulfill({ contentType: 'application/json', body }));
  await page.reload();
};
export const folderOf = (scene) => `/app/files/${scene.photosFolder}`;

export const view = async (page, phone, name, ready) => {
  await shown(page);
  // Not every entry is drawn before it is scrolled to.
  for (let step = 0; step < 20 && !(await entry(page, name).isVisible()); step++)
    await grid(page).evaluate((one) => one.scrollBy(0, one.clientHeight / 2));
  if (phone) await entry(page, name).tap();
  else await entry(page, name).dblclick();
  await ready(page.getByRole('dialog'));
};
