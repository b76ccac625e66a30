import type { UsageByType } from '$lib/api/types';
import { type Kind, kindOf } from '$lib/files/kind';

/** What somebody stores, in parts as they would name them. */
export type Part = 'image' | 'video' | 'audio' | 'document' | 'archive' | 'other' | 'versions' | 'trash' | 'rest';

export interface Holding {
  part: Part;
  bytes: number;
  /** How many contents; null where nobody counted. */
  count: number | null;
}

const PARTS: Record<Kind, Part> = {
  image: 'image',
  video: 'video',
  audio: 'audio',
  pdf: 'document',
  document: 'document',
  sheet: 'document',
  text: 'document',
  code: 'document',
  archive: 'archive',
  other: 'other',
  folder: 'other',
};

/**
 * Parts that there are: kinds of files by their bytes, then old versions, the trash, and what of the bytes used is in none of them: it is
 * being cleared away, or was not counted.
 */
export function holdingsOf({ types, versions, trash }: UsageByType, usedBytes: number): Holding[] {
  const kinds = new Map<Part, Holding & { count: number }>();
  for (const { mimeType, bytes, count } of types) {
    const part = PARTS[kindOf({ type: 'file', mimeType })];
    const sum = kinds.get(part) ?? { part, bytes: 0, count: 0 };
    kinds.set(part, { part, bytes: sum.bytes + bytes, count: sum.count + count });
  }
  const held: Holding[] = [
    ...[...kinds.values()].sort((a, b) => b.bytes - a.bytes),
    { part: 'versions', ...versions },
    { part: 'trash', ...trash },
  ];
  const counted = held.reduce((sum, { bytes }) => sum + bytes, 0);
  if (usedBytes > counted) held.push({ part: 'rest', bytes: usedBytes - counted, count: null });
  return held.filter(({ bytes, count }) => bytes > 0 || count);
}
