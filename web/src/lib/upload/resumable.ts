import { answerOf, client } from '$lib/api/client';
import { ApiError, problemOf } from '$lib/api/problem';
import type { PublicUpload, Receipt, Upload, UploadList } from '$lib/api/types';
import { API, type OnConflict, publicUrl, segment } from '$lib/api/urls';
import { type Sending, transfer } from './send';

/** Uploads in several requests, by tus 1.0.0: what was told to have arrived stays, whatever happens to the line. */

const TUS = { 'Tus-Resumable': '1.0.0' };
/** How often a wrong offset is asked for again before it counts as a failure. */
const OFFSETS = 3;

export interface Wish {
  /** The upload to go on with, or null to begin one. */
  uploadId: string | null;
  folder: string;
  name: string;
  size: number;
  onConflict: OnConflict;
}

interface Listener {
  /** The upload was begun under this id; null if the one to go on with is not there any more. */
  begun(id: string | null): void;
  /** Bytes that have arrived or are on their way. */
  progress(sent: number): void;
}

/** Where an upload stands. */
interface Where {
  offset: number;
  /** The file that it has become. */
  fileId: string | null;
  /** When the content was last changed where it comes from, in milliseconds; null if that was not said. */
  lastModified: number | null;
}

/** Where uploads are, and what they become there. */
export interface Place<T> {
  url: string;
  /** What an upload has become whose bytes are all there, `fileId` being what the answer said; null if it is no file yet. */
  outcome(id: string, fileId: string | null): Promise<T | null>;
  /** Makes the file of an upload whose bytes are all there. */
  settle(id: string, wish: Wish): Promise<T>;
}

/** One's own uploads. */
export const own: Place<{ id: string }> = {
  url: `${API}/uploads`,
  // The last bytes make the file, which is told; without it something is missing still.
  outcome: async (_, fileId) => (fileId ? { id: fileId } : null),
  async settle(id, { name, onConflict }) {
    const body = { name, onConflict };
    const params = { path: { id } };
    // The answer is the file, whatever else the document allows here.
    return (await answerOf(client.PATCH('/api/v1/uploads/{id}', { params, body: body as never }))) as { id: string };
  },
};

/** Those by a link, of which only the receipt is told. */
export function byLink(token: string): Place<Receipt> {
  return {
    url: `${publicUrl(token)}/uploads`,
    outcome: async (id) => (await showByLink(token, id))?.receipt ?? null,
    async settle(id, { name, onConflict }) {
      const body = { name, onConflict };
      const params = { path: { token, id } };
      const made = client.PATCH('/api/v1/public/{token}/uploads/{id}', { params, body: body as never });
      return (await answerOf(made)) as Receipt;
    },
  };
}

/** An upload by a link, without disturbing whoever is sending to it; null if it is not there any more. */
export function showByLink(token: string, id: string): Promise<PublicUpload | null> {
  const params = { path: { token, id } };
  return unlessGone(answerOf(client.GET('/api/v1/public/{token}/uploads/{id}', { params })));
}

/** Keys and values as tus writes them: base64 of UTF-8. */
export function metadata(values: Record<string, string>): string {
  const encode = (value: string) => btoa(String.fromCharCode(...new TextEncoder().encode(value)));
  return Object.entries(values)
    .map(([key, value]) => `${key} ${encode(value)}`)
    .join(',');
}

/** One value of what {@link metadata} wrote; null if it is not there or cannot be read. */
export function metadataValue(text: string | null, key: string): string | null {
  const pairs = text?.split(',').map((pair) => pair.trim().split(' ')) ?? [];
  const pair = pairs.find(([name]) => name === key);
  if (!pair) return null;
  try {
    return new TextDecoder().decode(Uint8Array.from(atob(pair[1] ?? ''), (char) => char.charCodeAt(0)));
  } catch {
    return null;
  }
}

/** Asks where an upload stands, and makes whoever is still sending to it leave; null if it is not there any more. */
async function whereIs(url: string, signal: AbortSignal): Promise<Where | null> {
  const answer = await asked(url, { method: 'HEAD', headers: TUS, signal });
  if (answer.status === 404 || answer.status === 410) return null;
  if (!answer.ok) throw problemOf(answer.status, null, (name) => answer.headers.get(name));
  const lastModified = Number(metadataValue(answer.headers.get('Upload-Metadata'), 'lastModified') ?? Number.NaN);
  return {
    offset: Number(answer.headers.get('Upload-Offset') ?? 0),
    fileId: answer.headers.get('File-Id'),
    lastModified: Number.isFinite(lastModified) ? lastModified : null,
  };
}

async function asked(url: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(url, { cache: 'no-store', ...init });
  } catch (thrown) {
    const cancelled = thrown instanceof DOMException && thrown.name === 'AbortError';
    throw new ApiError(cancelled ? 'cancelled' : 'offline', 0, '', '');
  }
}

async function begin(url: string, body: globalThis.File, wish: Wish, signal: AbortSignal): Promise<string> {
  const { name, folder, onConflict } = wish;
  const told = { filename: name, folder, onConflict, lastModified: String(body.lastModified) };
  const answer = await asked(url, {
    method: 'POST',
    headers: { ...TUS, 'Upload-Length': String(wish.size), 'Upload-Metadata': metadata(told) },
    signal,
  });
  const id = answer.headers.get('Location')?.split('/').at(-1);
  if (answer.ok && id) return id;
  throw problemOf(answer.status, await answer.json().catch(() => null), (field) => answer.headers.get(field));
}

/** Ends an upload; its bytes go. One that is gone already is fine. */
export async function discard(id: string): Promise<void> {
  await unlessGone(answerOf(client.DELETE('/api/v1/uploads/{id}', { params: { path: { id } } })));
}

/** The same of one by a link. */
export async function discardByLink(token: string, id: string): Promise<void> {
  const params = { path: { token, id } };
  await unlessGone(answerOf(client.DELETE('/api/v1/public/{token}/uploads/{id}', { params })));
}

async function unlessGone<T>(answer: Promise<T>): Promise<T | null> {
  try {
    return await answer;
  } catch (thrown) {
    if (thrown instanceof ApiError && thrown.status === 404) return null;
    throw thrown;
  }
}

/** One's own uploads of whole files that are no files yet. */
export async function listUploads(): Promise<Upload[]> {
  const all: Upload[] = [];
  let cursor: string | null = null;
  do {
    const query: { limit: number; cursor?: string } = { limit: 1000, ...(cursor ? { cursor } : {}) };
    const page: UploadList = await answerOf(client.GET('/api/v1/uploads', { params: { query } }));
    all.push(...page.items);
    cursor = page.nextCursor;
  } while (cursor);
  return all.filter((one) => one.role === 'whole' && one.state !== 'done');
}

/** One of one's own uploads, without disturbing whoever is sending to it; null if it is not there any more. */
export function showUpload(id: string): Promise<Upload | null> {
  return unlessGone(answerOf(client.GET('/api/v1/uploads/{id}', { params: { path: { id } } })));
}

/**
 * Brings a file up from where its upload stands, or from its beginning. What has arrived when this is cancelled or fails
 * stays, and the next call goes on from there. Without a body only what has arrived wholly can be finished.
 */
export function sendResumable<T>(
  place: Place<T>,
  body: globalThis.File | null,
  wish: Wish,
  tell: Listener,
): Sending<T> {
  const urlOf = (id: string) => `${place.url}/${segment(id)}`;
  const flight = new AbortController();
  let going: Sending<string | null> | null = null;

  const append = (id: string, offset: number): Promise<string | null> => {
    if (!body) throw new ApiError('product', 409, 'upload_incomplete', '');
    const headers = { ...TUS, 'Content-Type': 'application/offset+octet-stream', 'Upload-Offset': String(offset) };
    // Whole, a file is read by the part of the browser that sends it; a slice goes through two more hands.
    const rest = offset > 0 ? body.slice(offset) : body;
    const onProgress = (sent: number) => tell.progress(offset + sent);
    going = transfer<string | null>(
      { method: 'PATCH', url: urlOf(id), headers, body: rest, onProgress },
      (request) => request.getResponseHeader('File-Id') ?? '',
    );
    return going.done;
  };

  const run = async (): Promise<T> => {
    let id = wish.uploadId;
    for (let attempt = 1; ; attempt++) {
      const at = id ? await whereIs(urlOf(id), flight.signal) : null;
      if (id && !at) {
        id = null;
        tell.begun(null);
      }
      const before = id && at && at.offset >= wish.size ? await place.outcome(id, at.fileId) : null;
      if (before !== null) return before;
      // Of another version of the file the rest would not fit to what is there.
      if (at && body && at.lastModified !== null && at.lastModified !== body.lastModified)
        throw new ApiError('product', 409, 'upload_other_file', '');
      if (!id) {
        if (!body) throw new ApiError('product', 404, 'not_found', '');
        id = await begin(place.url, body, wish, flight.signal);
        tell.begun(id);
      }
      // Cancelled between two requests, when there was nothing to be aborted.
      if (flight.signal.aborted) throw new ApiError('cancelled', 0, '', '');
      const offset = at?.offset ?? 0;
      tell.progress(offset);
      try {
        if (offset >= wish.size) return await place.settle(id, wish);
        const outcome = await place.outcome(id, await append(id, offset));
        if (outcome !== null) return outcome;
      } catch (thrown) {
        const moved = thrown instanceof ApiError && thrown.code === 'upload_offset';
        if (!moved || attempt >= OFFSETS) throw thrown;
      }
      if (attempt > OFFSETS) throw new ApiError('offline', 0, '', '');
    }
  };

  return {
    done: run(),
    cancel() {
      flight.abort();
      going?.cancel();
    },
  };
}
