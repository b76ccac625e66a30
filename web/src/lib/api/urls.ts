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
