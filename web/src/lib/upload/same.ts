import type { File } from '$lib/api/types';

/** Most bytes that are read to compare: all of them have to be in memory. */
const COMPARED = 64 * 1024 * 1024;

type There = Pick<File, 'size' | 'sha256'>;

/** Whether what was chosen is what is there, byte for byte; null if this browser cannot tell, as on plain HTTP. */
export async function isSame(body: Blob, there: There): Promise<boolean | null> {
  if (body.size !== there.size) return false;
  if (!there.sha256 || !crypto.subtle || body.size > COMPARED) return null;
  const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', await body.arrayBuffer()));
  return Array.from(hash, (byte) => byte.toString(16).padStart(2, '0')).join('') === there.sha256;
}

/**
 * Whether the file there is the one that was sent before, when its answer was lost. Without hashes of one's own, size and time
 * of the content have to do: both were sent along.
 */
export async function isOwn(
  body: Blob & { lastModified: number },
  there: There & Pick<File, 'contentModifiedAt'>,
): Promise<boolean> {
  const same = await isSame(body, there);
  if (same !== null) return same;
  return body.lastModified > 0 && Date.parse(there.contentModifiedAt ?? '') === body.lastModified;
}
