import { BASE } from '$lib/base';
import type { File } from './types';

export const API = `${BASE}/api/v1`;

/** The sizes of thumbnails that the product makes, in pixels of the longer edge. */
export const THUMBNAIL_SIZES = [100, 250, 500, 1280] as const;
export type ThumbnailSize = (typeof THUMBNAIL_SIZES)[number];

/** One segment of a path; `.` and `..` cannot be names, everything else survives (`%`, `#`, `?`, `/`, spaces). */
export function segment(text: string): string {
  return encodeURIComponent(text);
}

/** A link by which everything is read, where the reader is a visitor who has nothing else. */
interface Visit {
  token: string;
  /** What the link leads to; its id need not be said. */
  root: string;
  /** False where it shows thumbnails alone. */
  contents: boolean;
  read(id: string, signal?: AbortSignal): Promise<File>;
  /** Has the browser save files. */
  save(files: File[]): void;
}

let visited: Visit | null = null;

/** Has contents and thumbnails come by a link from now on, or by the reader's own right again. */
export function readBy(link: Visit | null): void {
  visited = link;
}

export const visit = (): Visit | null => visited;

/** Whether contents may be read at all, and not only their thumbnails. */
export const readsContents = (): boolean => visited?.contents ?? true;

export const publicUrl = (token: string): string => `${API}/public/${segment(token)}`;

export function contentUrl(id: string, options: { download?: boolean } = {}): string {
  if (!visited) return `${API}/files/${segment(id)}/content${options.download ? '?download=true' : ''}`;
  const query = new URLSearchParams(id === visited.root ? {} : { id });
  if (options.download) query.set('download', 'true');
  return `${publicUrl(visited.token)}/content${query.size > 0 ? `?${query}` : ''}`;
}

/** How many ids an address can name. */
export const MOST_IN_ARCHIVE = 250;

/** One folder with all that is in it, or several files and folders, as one archive. */
export function archiveUrl(ids: string[]): string {
  const [only] = ids.length === 1 ? ids : [];
  const list = ids.map(segment).join(',');
  if (visited) return `${publicUrl(visited.token)}/archive${only === visited.root ? '' : `?ids=${list}`}`;
  return only ? `${API}/files/${segment(only)}/archive` : `${API}/archives?ids=${list}`;
}

/** What is saved: one file as it is, everything else as an archive. */
export function downloadUrl(files: Pick<File, 'id' | 'type'>[]): string {
  const [only] = files.length === 1 ? files : [];
  if (only?.type === 'file') return contentUrl(only.id, { download: true });
  return archiveUrl(files.map((file) => file.id));
}

/** The version stands in the address, so that a browser may keep the picture for good. */
export function thumbnailUrl(file: Pick<File, 'id' | 'version'>, size: ThumbnailSize): string {
  if (!visited) return `${API}/files/${segment(file.id)}/thumbnails/${size}?v=${file.version}`;
  const id = file.id === visited.root ? '' : `id=${segment(file.id)}&`;
  return `${publicUrl(visited.token)}/thumbnails/${size}?${id}v=${file.version}`;
}

export type OnConflict = 'fail' | 'rename' | 'replace';

export function uploadUrl(folderId: string, name: string, onConflict: OnConflict, modifiedAt: Date | null): string {
  const query = new URLSearchParams({ onConflict });
  if (modifiedAt) query.set('modifiedAt', modifiedAt.toISOString());
  return `${API}/files/${segment(folderId)}/children/${segment(name)}/content?${query}`;
}

/** Where files are put into a folder by one form. */
export function bundleUrl(folderId: string, onConflict: OnConflict): string {
  return `${API}/files/${segment(folderId)}/children?onConflict=${onConflict}`;
}
