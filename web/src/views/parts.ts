/** Parts of the page that are not wanted at first sight, each loaded when it is. */
export const parts = {
  setup: () => import('./auth/Setup.svelte'),
  register: () => import('./auth/Register.svelte'),
  trash: () => import('./browse/TrashPage.svelte'),
  jobs: () => import('./jobs/JobsPage.svelte'),
  queue: () => import('./queue/QueuePage.svelte'),
  viewer: () => import('./viewer/Viewer.svelte'),
  tray: () => import('./upload/Tray.svelte'),
  conflict: () => import('./upload/ConflictDialog.svelte'),
  move: () => import('./dialogs/MoveDialog.svelte'),
  help: () => import('./dialogs/HelpSheet.svelte'),
};
