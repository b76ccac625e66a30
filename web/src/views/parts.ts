import { language, type Part } from '$lib/i18n/language.svelte';

/** A part of the page together with the texts that it shows, which come before it is drawn. */
const withTexts =
  <T>(texts: Part, load: () => Promise<T>) =>
  async (): Promise<T> => {
    const [part] = await Promise.all([load(), language.need(texts)]);
    return part;
  };

/** Parts of the page that are not wanted at first sight, each loaded when it is. */
export const parts = {
  setup: () => import('./auth/Setup.svelte'),
  register: withTexts('auth', () => import('./auth/Register.svelte')),
  verify: withTexts('auth', () => import('./auth/Verify.svelte')),
  forgot: withTexts('auth', () => import('./auth/Forgot.svelte')),
  reset: withTexts('auth', () => import('./auth/Reset.svelte')),
  providers: withTexts('auth', () => import('./auth/Providers.svelte')),
  secondStep: withTexts('auth', () => import('./auth/SecondStep.svelte')),
  account: withTexts('account', () => import('./account/AccountPage.svelte')),
  identities: withTexts('auth', () => import('./account/Identities.svelte')),
  admin: withTexts('admin', () => import('./admin/AdminPage.svelte')),
  details: () => import('./browse/Details.svelte'),
  trash: () => import('./browse/TrashPage.svelte'),
  jobs: () => import('./jobs/JobsPage.svelte'),
  queue: withTexts('queue', () => import('./queue/QueuePage.svelte')),
  viewer: withTexts('viewer', () => import('./viewer/Viewer.svelte')),
  share: withTexts('sharing', () => import('./sharing/ShareDialog.svelte')),
  shared: withTexts('sharing', () => import('./sharing/SharedPage.svelte')),
  visit: withTexts('public', () => import('./public/PublicPage.svelte')),
  tray: withTexts('tray', () => import('./upload/Tray.svelte')),
  conflict: withTexts('tray', () => import('./upload/ConflictDialog.svelte')),
  move: () => import('./dialogs/MoveDialog.svelte'),
  help: () => import('./dialogs/HelpSheet.svelte'),
};

/** What the viewer shows files with; those that bring a library with them come when the first such file is opened. */
export const stages = {
  audio: () => import('./viewer/AudioStage.svelte'),
  pdf: () => import('./viewer/PdfStage.svelte'),
  markdown: () => import('./viewer/MarkdownStage.svelte'),
  code: () => import('./viewer/CodeStage.svelte'),
  table: () => import('./viewer/TableStage.svelte'),
};
