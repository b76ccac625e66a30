import { parseBuffer, selectCover } from 'music-metadata';
import { contentUrl } from '$lib/api/urls';

/** What stands in a sound file beside the sound. Written by whoever made the file: shown as text only. */
export interface Tags {
  title: string;
  artist: string;
  album: string;
  year: string;
  genre: string;
  cover: Blob | null;
}

/** Tags stand at the beginning, a cover among them; this much of a file is looked at. */
const LOOKED_AT = 2 * 1024 * 1024;
/** Pictures that every browser draws and none runs. */
const PICTURE = /^image\/(jpe?g|png|gif|webp)$/;

/** Reads the tags of a sound; null where there are none, or none that can be read. */
export async function readTags(
  file: { id: string; size: number | null; mimeType: string | null },
  signal: AbortSignal,
): Promise<Tags | null> {
  try {
    const answer = await fetch(contentUrl(file.id), { headers: { Range: `bytes=0-${LOOKED_AT - 1}` }, signal });
    if (!answer.ok) return null;
    const bytes = new Uint8Array(await answer.arrayBuffer());
    const { common } = await parseBuffer(bytes, { mimeType: file.mimeType ?? '', size: bytes.length });
    const cover = selectCover(common.picture);
    const type = cover?.format.toLowerCase().replace('image/jpg', 'image/jpeg') ?? '';
    return {
      title: common.title ?? '',
      artist: common.artist ?? '',
      album: common.album ?? '',
      year: common.year ? String(common.year) : '',
      genre: common.genre?.join(', ') ?? '',
      cover: cover && PICTURE.test(type) ? new Blob([new Uint8Array(cover.data)], { type }) : null,
    };
  } catch {
    return null;
  }
}
