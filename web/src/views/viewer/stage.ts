import type { File } from '$lib/api/types';
import { readsContents, visit } from '$lib/api/urls';
import { kindOf } from '$lib/files/kind';
import { languageOf } from './languages';

/** By what a file is shown. */
export type Stage = 'image' | 'video' | 'audio' | 'pdf' | 'markdown' | 'table' | 'code' | 'text' | 'entries' | 'none';

const ARCHIVES: ReadonlySet<string> = new Set(['application/zip', 'application/x-tar', 'application/java-archive']);

/** What the product found in the content decides; the name only tells kinds of text apart. */
export function stageOf(file: Pick<File, 'type' | 'mimeType' | 'name' | 'thumbnails'>): Stage {
  if (!readsContents()) return file.thumbnails.state === 'none' ? 'none' : 'image';
  const kind = kindOf(file);
  const mime = file.mimeType ?? '';
  if (kind === 'image' || kind === 'video' || kind === 'audio' || kind === 'pdf') return kind;
  // A link does not say what is in an archive.
  if (ARCHIVES.has(mime)) return visit() ? 'none' : 'entries';
  if (mime === 'text/csv' || mime === 'text/tab-separated-values') return 'table';
  const plain = mime.startsWith('text/');
  if (mime === 'text/markdown' || (plain && /\.(md|markdown|mkd)$/i.test(file.name))) return 'markdown';
  if (plain && /\.(csv|tsv|tab)$/i.test(file.name)) return 'table';
  if (languageOf(file)) return 'code';
  return plain ? 'text' : 'none';
}
