import type { File } from '$lib/api/types';

/**
 * Most bytes that are read to compare: all of them have to be in memory. From 8 MiB on (`LARGE`) an upload keeps its place, which
 * says what became of it, so that nothing has to be compared to know it again.
 */
const COMPARED = 64 * 1024 * 1024;

type There = Pick<File, 'size' | 'sha256'>;

/** Whether what was chosen is what is there, byte for byte; null if that cannot be told. */
export async function isSame(body: Blob, there: There): Promise<boolean | null> {
  if (body.size !== there.size) return false;
  if (!there.sha256 || body.size > COMPARED) return null;
  return (await hashOf(body)) === there.sha256;
}

async function hashOf(body: Blob): Promise<string> {
  // On plain HTTP browsers lend none.
  if (!crypto.subtle) return (await import('./sha256')).sha256(body);
  const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', await body.arrayBuffer()));
  return Array.from(hash, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
