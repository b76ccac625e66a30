import FileIcon from '@lucide/svelte/icons/file';
import FileArchive from '@lucide/svelte/icons/file-archive';
import FileCode from '@lucide/svelte/icons/file-code';
import FileImage from '@lucide/svelte/icons/file-image';
import FileMusic from '@lucide/svelte/icons/file-music';
import FilePlay from '@lucide/svelte/icons/file-play';
import FileSpreadsheet from '@lucide/svelte/icons/file-spreadsheet';
import FileText from '@lucide/svelte/icons/file-text';
import Folder from '@lucide/svelte/icons/folder';
import type { Component } from 'svelte';
import type { File } from '$lib/api/types';
import type { PlainKey } from '$lib/i18n';

/** What a file is to its reader; decides its icon, its colour and its viewer. */
export type Kind =
  | 'folder'
  | 'image'
  | 'video'
  | 'audio'
  | 'pdf'
  | 'document'
  | 'sheet'
  | 'text'
  | 'code'
  | 'archive'
  | 'other';

const CODE = /(json|xml|javascript|typescript|yaml|toml|x-(sh|python|rust|c|c\+\+|java|go)|css|html)/;
const ARCHIVE = /(zip|x-tar|gzip|x-7z|rar|x-xz|x-bzip2?|zstd)/;

export function kindOf(file: Pick<File, 'type' | 'mimeType'>): Kind {
  if (file.type === 'folder') return 'folder';
  const mime = file.mimeType ?? '';
  if (mime.startsWith('image/')) return 'image';
  if (mime.startsWith('video/')) return 'video';
  if (mime.startsWith('audio/')) return 'audio';
  if (mime === 'application/pdf') return 'pdf';
  if (/spreadsheet|ms-excel|csv|tab-separated/.test(mime)) return 'sheet';
  if (/wordprocessing|msword|presentation|powerpoint|opendocument\.text|rtf/.test(mime)) return 'document';
  if (ARCHIVE.test(mime)) return 'archive';
  if (CODE.test(mime)) return 'code';
  if (mime.startsWith('text/')) return 'text';
  return 'other';
}

type Tint = 'folder' | 'image' | 'video' | 'audio' | 'text' | 'pack' | 'other';

export const KINDS: Record<
  Kind,
  { icon: Component<{ size?: number | string; strokeWidth?: number | string }>; tint: Tint; name: PlainKey }
> = {
  folder: { icon: Folder, tint: 'folder', name: 'kind.folder' },
  image: { icon: FileImage, tint: 'image', name: 'kind.image' },
  video: { icon: FilePlay, tint: 'video', name: 'kind.video' },
  audio: { icon: FileMusic, tint: 'audio', name: 'kind.audio' },
  pdf: { icon: FileText, tint: 'text', name: 'kind.pdf' },
  document: { icon: FileText, tint: 'text', name: 'kind.document' },
  sheet: { icon: FileSpreadsheet, tint: 'text', name: 'kind.sheet' },
  text: { icon: FileText, tint: 'text', name: 'kind.text' },
  code: { icon: FileCode, tint: 'text', name: 'kind.code' },
  archive: { icon: FileArchive, tint: 'pack', name: 'kind.archive' },
  other: { icon: FileIcon, tint: 'other', name: 'kind.other' },
};

/** Pictures that every browser shows by itself, so that they can be seen though no thumbnail could be made. */
const SHOWN_BY_BROWSERS = new Set([
  'image/png',
  'image/apng',
  'image/jpeg',
  'image/gif',
  'image/webp',
  'image/avif',
  'image/bmp',
  'image/svg+xml',
  'image/x-icon',
  'image/vnd.microsoft.icon',
]);

export const browserShows = (file: Pick<File, 'mimeType'>): boolean => SHOWN_BY_BROWSERS.has(file.mimeType ?? '');

/** A name in two parts, so that a long one is cut in its middle and keeps its ending in sight. */
export function splitName(name: string): [string, string] {
  const dot = name.lastIndexOf('.');
  const chars = [...name];
  if (dot <= 0 || name.length - dot > 8)
    return chars.length > 16 ? [chars.slice(0, -6).join(''), chars.slice(-6).join('')] : [name, ''];
  const stem = [...name.slice(0, dot)];
  const keep = stem.length > 12 ? 3 : 0;
  return [stem.slice(0, stem.length - keep).join(''), stem.slice(stem.length - keep).join('') + name.slice(dot)];
}

/** The part of a name that one means to change: without its ending. */
export function stemLength(file: Pick<File, 'name' | 'type'>): number {
  const dot = file.name.lastIndexOf('.');
  return file.type === 'folder' || dot <= 0 ? file.name.length : dot;
}
