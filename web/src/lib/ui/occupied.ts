/** What is typed into; a tick or a button has the focus as well, and loses nothing. */
const TEXT = [
  'input:not([type="checkbox"], [type="radio"], [type="button"], [type="submit"], [type="range"], [type="file"])',
  'textarea',
  'select',
  '[contenteditable]',
].join(', ');

/** Whether the reader types, or has a dialog to answer: a question that comes now would take the keys that are meant for that. */
export const isOccupied = (page: Pick<Document, 'activeElement' | 'querySelector'> = document): boolean =>
  page.querySelector('dialog[open]') !== null || (page.activeElement?.matches(TEXT) ?? false);
