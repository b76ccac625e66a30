import { language, type Part } from '$lib/i18n/language.svelte';

/** A part of the page together with the texts that it shows, which come before it is drawn. */
const withTexts =
  <T>(texts: Part | Part[], load: () => Promise<T>) =>
  async (): Promise<T> => {
    const [part] = await Promise.all([load(), ...[texts].flat().map((one) => language.need(one))]);
    return part;
  };

/** Parts of the page that are not wanted at first sight, each loaded when it is. */
export const parts = {
  gate: withTexts('auth', () => import('./auth/Gate.svelte')),
  setup: () => import('./auth/Setup.svelte'),
  register: () => import('./auth/Register.svelte'),
  verify: () => import('./auth/Verify.svelte'),
  forgot: () => import('./auth/Forgot.svelte'),
  reset: () => import('./auth/Reset.svelte'),
  providers: withTexts('auth', () => import('./auth/Providers.svelte')),
  secondStep: () => import('./auth/SecondStep.svelte'),
  account: withTexts(['account', 'auth', 'organise'], () => import('./account/AccountPage.svelte')),
  exported: () => import('./account/Exported.svelte'),
  webhooks: withTexts('webhooks', () => import('./webhooks/WebhooksPart.svelte')),
  identities: withTexts('auth', () => import('./account/Identities.svelte')),
  admin: withTexts(['admin', 'auth', 'account'], () => import('./admin/AdminPage.svelte')),
  folderBar: withTexts('organise', () => import('./browse/FolderBar.svelte')),
  folderActs: withTexts('organise', () => import('./browse/folder-acts')),
  details: withTexts('organise', () => import('./browse/Details.svelte')),
  trash: withTexts('organise', () => import('./browse/TrashPage.svelte')),
  gathered: withTexts('organise', () => import('./gathered/GatheredPage.svelte')),
  tags: withTexts('organise', () => import('./gathered/TagsPage.svelte')),
  search: withTexts(['search', 'organise'], () => import('./search/SearchPage.svelte')),
  jobs: withTexts('jobs', () => import('./jobs/JobsPage.svelte')),
  notices: withTexts('notices', () => import('./notices/NoticesPage.svelte')),
  queue: withTexts(['queue', 'jobs'], () => import('./queue/QueuePage.svelte')),
  viewer: withTexts(['viewer', 'organise'], () => import('./viewer/Viewer.svelte')),
  player: withTexts('viewer', () => import('./player/MiniPlayer.svelte')),
  share: withTexts('sharing', () => import('./sharing/ShareDialog.svelte')),
  shared: withTexts('sharing', () => import('./sharing/SharedPage.svelte')),
  visit: withTexts('public', () => import('./public/PublicPage.svelte')),
  uploads: withTexts('tray', () => import('./upload/UploadPanel.svelte')),
  confirm: () => import('./dialogs/Confirm.svelte'),
  prove: withTexts(['account', 'auth'], () => import('./dialogs/Prove.svelte')),
  newFolder: () => import('./dialogs/NewFolder.svelte'),
  rename: () => import('./browse/RenameField.svelte'),
  move: withTexts('organise', () => import('./dialogs/MoveDialog.svelte')),
  tagging: withTexts('organise', () => import('./dialogs/TagsDialog.svelte')),
  failed: withTexts('organise', () => import('./dialogs/FailedDialog.svelte')),
  help: withTexts('organise', () => import('./dialogs/HelpSheet.svelte')),
};

/** Brings what is small and wanted in an instant, once there is something to look at. */
export function prefetch(): void {
  for (const part of [parts.confirm, parts.newFolder, parts.rename]) part().catch(() => {});
}

/** What the viewer shows files with; those that bring a library with them come when the first such file is opened. */
export const stages = {
  audio: () => import('./viewer/AudioStage.svelte'),
  pdf: () => import('./viewer/PdfStage.svelte'),
  markdown: () => import('./viewer/MarkdownStage.svelte'),
  code: () => import('./viewer/CodeStage.svelte'),
  entries: () => import('./viewer/EntriesStage.svelte'),
  table: () => import('./viewer/TableStage.svelte'),
};
