import type { Message } from './index';

/** The texts of the viewer in English; they come with it. */
const enViewer = {
  viewer: 'Viewing {name}',
  'viewer.place': '{at} of {total}',
  'viewer.next': 'Next',
  'viewer.previous': 'Previous',
  'viewer.zoomIn': 'Zoom in',
  'viewer.zoomOut': 'Zoom out',
  'viewer.fit': 'Fit to the window',
  'viewer.original': 'Show original',
  'viewer.originalLoading': 'Loading original…',
  'viewer.originalShown': 'Original',
  'viewer.pending': 'The preview is being made…',
  'viewer.noPicture': 'There is no preview: {reason}',
  'viewer.notPlayable': 'Your browser cannot play this kind of file. Download it to open it with another program.',
  'viewer.none': 'There is no preview for this kind of file.',
  'viewer.previewOnly': 'This link shows previews only, and there is none of this file.',
  'viewer.failed': 'This could not be shown',
  'viewer.cut': 'The first {shown} of {size}.',
  'viewer.emptyText': 'The file is empty.',
  'viewer.slides.start': 'Start slideshow',
  'viewer.slides.stop': 'Stop slideshow',
  'viewer.unhighlighted': 'Too long for colours.',

  'text.encoding': 'Encoding',
  'text.encoding.auto': 'Found: {name}',

  'markdown.image': 'Image: {text}',
  'markdown.imageUnnamed': 'Image',
  'markdown.source': 'Source',
  'markdown.rendered': 'Formatted',
  'markdown.failed': 'This Markdown could not be laid out. Its source is shown.',

  'table.rows': { one: '{count} row', other: '{count} rows' },
  'table.columns': 'The first {shown} of {count} columns.',
  'table.column': 'Column {number}',
  'table.row': 'Row',

  'entries.count': { one: '{count} entry', other: '{count} entries' },
  'entries.some': 'What is in this archive',
  'entries.none': 'The archive is empty.',
  'entries.encrypted': 'Encrypted',
  'entries.unreadable':
    'This archive is damaged, encrypted, or of a kind that cannot be looked into. Download it to try another program.',

  'pdf.page': 'Page',
  'pdf.pageOf': 'of {count}',
  'pdf.pageNumber': 'Page {number}',
  'pdf.tools': 'PDF',
  'pdf.fit': 'Fit to the width',
  'pdf.password.title': 'This PDF is protected',
  'pdf.password.text': 'It opens with the password that its author gave it. The password stays in this page.',
  'pdf.password.wrong': 'This is not its password.',
  'pdf.password.act': 'Open',
  'pdf.broken': 'This file is damaged or no PDF, so it cannot be shown. Download it to try another program.',
  'pdf.pageFailed': 'This page could not be drawn.',

  'audio.artist': 'Artist',
  'audio.album': 'Album',
  'audio.year': 'Year',
  'audio.genre': 'Genre',
  'audio.cover': 'Cover of {name}',
  player: 'Playing',
  'player.end': 'Stop playing',
} as const satisfies Record<string, Message>;

export default enViewer;
