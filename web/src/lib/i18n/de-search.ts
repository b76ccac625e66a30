import type enSearch from './en-search';
import type { Translated } from './index';

/** Die Texte der Suche, auf Deutsch. */
const deSearch: Translated<typeof enSearch> = {
  'search.results': 'Suchergebnisse',
  'search.filters': 'Filter',
  'search.titleOf': '„{q}“',
  'search.found': { one: '{count} Eintrag gefunden', other: '{count} Einträge gefunden' },
  'search.found.least': { one: 'Mindestens {count} Eintrag gefunden', other: 'Mindestens {count} Einträge gefunden' },
  'search.begin.title': 'Was suchst du?',
  'search.begin.text':
    'Gib Wörter aus einem Namen, einem Schlagwort oder einem Text ein. Anfänge genügen; Groß und Klein und Akzente sind gleich.',
  'search.none.title': 'Nichts gefunden',
  'search.none.text':
    'Jedes Wort muss ein Wort des Namens, eines Schlagworts oder des Textes beginnen. Versuch es mit weniger.',
  'search.none.filtered': 'Nichts passt zu den Wörtern und zu den Filtern.',
  'search.unfiltered': 'Ohne Filter suchen',
  'search.partial':
    'Diese Suche war zu weit, um fertig zu werden; es kann mehr geben, als hier steht. Ein Wort mehr, ein Filter hier oben oder die Suche in einem Ordner findet es.',
  'search.partial.none':
    'Diese Suche war zu weit, um fertig zu werden, und hat bisher nichts gefunden. Ein Wort mehr, ein Filter hier oben oder die Suche in einem Ordner findet es vielleicht.',
  'search.failed': 'Die Suche ging nicht',
  'search.any': 'Alle',
  'search.without': 'Ohne den Filter {filter}',
  'search.noTags': 'Noch keine Schlagwörter',
  'search.kind': 'Art',
  'search.kind.folder': 'Ordner',
  'search.kind.image': 'Bilder',
  'search.kind.video': 'Videos',
  'search.kind.audio': 'Audio',
  'search.kind.pdf': 'PDF',
  'search.kind.text': 'Text',
  'search.when': 'Geändert',
  'search.when.day': 'Heute',
  'search.when.week': 'In den letzten 7 Tagen',
  'search.when.month': 'Im letzten Monat',
  'search.when.year': 'Im letzten Jahr',
  'search.size': 'Größe',
  'search.size.mega': 'Ab 1 MB',
  'search.size.hundred': 'Ab 100 MB',
  'search.size.giga': 'Ab 1 GB',
  'search.tag': 'Schlagwort',
  'search.under': 'In {folder}',
  'search.underThis': 'In einem Ordner',
};

export default deSearch;
