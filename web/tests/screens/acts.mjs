// What several screens do before their picture is taken.
import { entry, grid } from '../support/steps.mjs';

export const shown = (page) => grid(page).waitFor();
export const press = (page, name) =>
  page.getByRole('button', { name, exact: true }).filter({ visible: true }).first().click();
/** Opens the menu of an entry, as one does there. */
export async function openMenu(page, phone, name) {
  if (phone)
    await entry(page, name)
      .getByRole('button', { name: /Actions/ })
      .click();
  else await entry(page, name).click({ button: 'right' });
}
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
/** Has the page believe that this was sent to a webhook. */
export const showDeliveries = async (page) => {
  const at = (minutes) => new Date(Date.now() + minutes * 60_000).toISOString();
  const tried = (minutes, status, error) => ({ at: at(minutes), durationMs: 34 - minutes, status, error });
  const fate = { nextAttemptAt: null, createdAt: at(-50), finishedAt: at(-50) };
  const items = [
    {
      event: 'file.created',
      state: 'pending',
      attempts: [tried(-2, 503, 'the receiver answered 503'), tried(-1, null, 'the receiver did not answer in time')],
      nextAttemptAt: at(5),
      createdAt: at(-2),
      finishedAt: null,
    },
    { event: 'file.moved', state: 'delivered', attempts: [tried(-50, 204, null)], ...fate },
    { event: 'job.failed', state: 'failed', attempts: [tried(-60, 500, 'the receiver answered 500')], ...fate },
    { event: 'ping', state: 'cancelled', attempts: [], ...fate },
  ].map((one, index) => ({ id: `5f1e8896c7ba06511e683b2${index}`, ...one }));
  await page.route('**/api/v1/webhooks/*/deliveries*', (route) => route.fulfill({ json: { items, nextCursor: null } }));
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
