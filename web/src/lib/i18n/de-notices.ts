import type enNotices from './en-notices';
import type { Translated } from './index';

/** Die Texte der Seite der Benachrichtigungen, auf Deutsch. */
const deNotices: Translated<typeof enNotices> = {
  'notices.title': 'Benachrichtigungen',
  'notices.list': 'Was geschehen ist',
  'notices.listFailed': 'Die Benachrichtigungen konnten nicht gelesen werden',
  'notices.none.title': 'Nichts zu berichten',
  'notices.none.text':
    'Was ohne dich mit deinen Dateien geschieht, steht hier: ein Link, der benutzt wurde, eine Vorschau, die misslang, ein Export, der bereit ist.',
  'notices.unread': 'Neu',
  'notices.job': 'Im Hintergrund ist etwas fehlgeschlagen: {type}',
  'notices.thumbnails': 'Die Vorschau einer Datei konnte nicht erstellt werden',
  'notices.link': 'Der Link „{label}“ wurde benutzt',
  'notices.linkUnnamed': 'Ein Link von dir wurde benutzt',
  'notices.downloads': { one: '{count} Download', other: '{count} Downloads' },
  'notices.drops': { one: '{count} Datei kam dazu', other: '{count} Dateien kamen dazu' },
  'notices.export': 'Der Export deines Kontos ist bereit',
  'notices.export.until': 'Er kann bis {time} abgeholt werden.',
  'notices.webhook': 'Ein Webhook wurde ausgeschaltet',
  'notices.webhook.failing': 'Dort kam tagelang nichts an.',
  'notices.webhook.gone': 'Seine Adresse antwortete, dass dort nichts mehr ist.',
  'notices.webhook.not-administrator': 'Nur Administratoren hören von den Aufträgen aller.',
  'notices.toWebhook': 'Ansehen',
  'notices.toExport': 'Abholen',
};

export default deNotices;
