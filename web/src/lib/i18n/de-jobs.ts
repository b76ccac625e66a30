import type enJobs from './en-jobs';
import type { Translated } from './index';

/** Die Texte der Seite der Hintergrundaufgaben, auf Deutsch. */
const deJobs: Translated<typeof enJobs> = {
  'jobs.title': 'Aktivität',
  'jobs.filter': 'Anzeigen',
  'jobs.all': 'Alle',
  'jobs.list': 'Hintergrundaufträge',
  'jobs.more': { one: '{count} weiteren anzeigen', other: '{count} weitere anzeigen' },
  'jobs.listFailed': 'Die Aufträge konnten nicht gelesen werden',
  'jobs.none.title': 'Für dich wurde noch nichts getan',
  'jobs.none.text': 'Was der Server im Hintergrund tut, etwa Vorschauen deiner Bilder zu erstellen, steht hier.',
  'jobs.noneOf.title': 'Keine solchen Aufträge',
  'jobs.noneOf.text': 'In diesem Zustand ist keiner.',
  'jobs.showAll': 'Alle anzeigen',
  'jobs.live': 'Live',
  'jobs.live.title': 'Änderungen erscheinen, sobald sie geschehen.',
  'jobs.notLive': 'Nicht live',
  'jobs.notLive.title': 'Nach Änderungen wird ab und zu gesehen, bis der Server sie wieder meldet.',
  'jobs.type.thumbnails': 'Vorschauen erstellen',
  'jobs.type.welcome-mail': 'Willkommens-E-Mail senden',
  'jobs.gone': 'einer Datei, die es nicht mehr gibt',
  'jobs.attempt': 'Versuch {made} von {max}',
  'jobs.progress': 'Fortschritt: {kind}',
  'jobs.state.inactive': 'Wartet',
  'jobs.state.active': 'Läuft',
  'jobs.state.complete': 'Erledigt',
  'jobs.state.failed': 'Gescheitert',
  'jobs.state.delayed': 'Wartet auf den nächsten Versuch',
  'jobs.state.cancelled': 'Abgebrochen',
};

export default deJobs;
