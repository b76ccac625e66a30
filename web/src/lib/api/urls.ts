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

export function contentUrl(id: string, options: { download?: boolean } = {}): string {
  return `${API}/files/${segment(id)}/content${options.download ? '?download=true' : ''}`;
}

/** A folder with all that is in it. */
export function archiveUrl(id: string): string {
  return `${API}/files/${segment(id)}/archive`;
}

/** How many ids an address can name. */
export const MOST_IN_ARCHIVE = 250;

/** Several files and folders as one archive. */
export function selectionArchiveUrl(ids: string[]): string {
  return `${API}/archives?ids=${ids.map(segment).join(',')}`;
}

/** The version stands in the address, so that a browser may keep the picture for good. */
export function thumbnailUrl(file: Pick<File, 'id' | 'version'>, size: ThumbnailSize): string {
  return `${API}/files/${segment(file.id)}/thumbnails/${size}?v=${file.version}`;
}

export type OnConflict = 'fail' | 'rename' | 'replace';

export function uploadUrl(folderId: string, name: string, onConflict: OnConflict, modifiedAt: Date | null): string {
  const query = new URLSearchParams({ onConflict });
  if (modifiedAt) query.set('modifiedAt', modifiedAt.toISOString());
  return `${API}/files/${segment(folderId)}/children/${segment(name)}/content?${query}`;
}
