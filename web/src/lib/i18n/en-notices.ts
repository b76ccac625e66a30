import type { Message } from './index';

/** The texts of the page of notifications, in English; they come with it. */
const enNotices = {
  'notices.title': 'Notifications',
  'notices.list': 'What happened',
  'notices.listFailed': 'The notifications could not be read',
  'notices.none.title': 'Nothing to tell you',
  'notices.none.text':
    'What happens to your files without you shows here: a link that was used, a preview that failed, an export that is ready.',
  'notices.unread': 'New',
  'notices.job': 'Something in the background failed: {type}',
  'notices.thumbnails': 'The preview of a file could not be made',
  'notices.link': 'The link “{label}” was used',
  'notices.linkUnnamed': 'A link of yours was used',
  'notices.downloads': { one: '{count} download', other: '{count} downloads' },
  'notices.drops': { one: '{count} file was added', other: '{count} files were added' },
  'notices.export': 'The export of your account is ready',
  'notices.export.until': 'It can be fetched until {time}.',
  'notices.webhook': 'A webhook was turned off',
  'notices.webhook.failing': 'Nothing had arrived there for days.',
  'notices.webhook.gone': 'Its address answered that there is nothing any more.',
  'notices.webhook.not-administrator': 'Only administrators are told of everybody’s jobs.',
  'notices.toWebhook': 'Look at it',
  'notices.toExport': 'Fetch it',
} as const satisfies Record<string, Message>;

export default enNotices;
