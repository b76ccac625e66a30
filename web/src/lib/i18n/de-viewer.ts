import type enViewer from './en-viewer';
import type { Translated } from './index';

/** Die Texte des Betrachters auf Deutsch. */
const deViewer: Translated<typeof enViewer> = {
  viewer: 'Ansicht von {name}',
  'viewer.place': '{at} von {total}',
  'viewer.next': 'Weiter',
  'viewer.previous': 'Zurück',
  'viewer.zoomIn': 'Vergrößern',
  'viewer.zoomOut': 'Verkleinern',
  'viewer.fit': 'In das Fenster einpassen',
  'viewer.original': 'Original anzeigen',
  'viewer.originalLoading': 'Original wird geladen …',
  'viewer.originalShown': 'Original',
  'viewer.pending': 'Die Vorschau wird erstellt …',
  'viewer.noPicture': 'Es gibt keine Vorschau: {reason}',
  'viewer.notPlayable':
    'Dein Browser kann diese Art von Datei nicht abspielen. Lade sie herunter, um sie mit einem anderen Programm zu öffnen.',
  'viewer.none': 'Für diese Art von Datei gibt es keine Vorschau.',
  'viewer.previewOnly': 'Dieser Link zeigt nur Vorschauen, und von dieser Datei gibt es keine.',
  'viewer.failed': 'Dies konnte nicht angezeigt werden',
  'viewer.cut': 'Die ersten {shown} von {size}.',
  'viewer.emptyText': 'Die Datei ist leer.',
  'viewer.slides.start': 'Diaschau starten',
  'viewer.slides.stop': 'Diaschau anhalten',
  'viewer.unhighlighted': 'Zu lang für Farben.',

  'text.encoding': 'Zeichenkodierung',
  'text.encoding.auto': 'Erkannt: {name}',

  'markdown.image': 'Bild: {text}',
  'markdown.imageUnnamed': 'Bild',
  'markdown.source': 'Quelltext',
  'markdown.rendered': 'Formatiert',
  'markdown.failed': 'Dieses Markdown konnte nicht gesetzt werden. Der Quelltext wird angezeigt.',

  'table.rows': { one: '{count} Zeile', other: '{count} Zeilen' },
  'table.columns': 'Die ersten {shown} von {count} Spalten.',
  'table.column': 'Spalte {number}',
  'table.row': 'Zeile',

  'entries.count': { one: '{count} Eintrag', other: '{count} Einträge' },
  'entries.some': 'Was in diesem Archiv ist',
  'entries.none': 'Das Archiv ist leer.',
  'entries.encrypted': 'Verschlüsselt',
  'entries.unreadable':
    'Dieses Archiv ist beschädigt, verschlüsselt oder von einer Art, in die man nicht hineinsehen kann. Lade es herunter, um es mit einem anderen Programm zu versuchen.',

  'pdf.page': 'Seite',
  'pdf.pageOf': 'von {count}',
  'pdf.pageNumber': 'Seite {number}',
  'pdf.tools': 'PDF',
  'pdf.fit': 'An die Breite anpassen',
  'pdf.password.title': 'Dieses PDF ist geschützt',
  'pdf.password.text':
    'Es öffnet sich mit dem Passwort, das sein Verfasser ihm gegeben hat. Das Passwort bleibt in dieser Seite.',
  'pdf.password.wrong': 'Das ist nicht sein Passwort.',
  'pdf.password.act': 'Öffnen',
  'pdf.broken':
    'Diese Datei ist beschädigt oder kein PDF und kann nicht angezeigt werden. Lade sie herunter, um ein anderes Programm zu versuchen.',
  'pdf.pageFailed': 'Diese Seite konnte nicht gezeichnet werden.',

  'audio.artist': 'Interpret',
  'audio.album': 'Album',
  'audio.year': 'Jahr',
  'audio.genre': 'Genre',
  'audio.cover': 'Titelbild von {name}',
  player: 'Wiedergabe',
  'player.end': 'Wiedergabe beenden',
};

export default deViewer;
