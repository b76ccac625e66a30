import { ApiError, problemOf } from '$lib/api/problem';
import type { File as Entry } from '$lib/api/types';

/** Nothing having moved for this long means that the line is dead, though nobody said so. */
const STALLED_MS = 60_000;

export interface Sending<T = Entry> {
  done: Promise<T>;
  cancel(): void;
}

interface Transfer {
  method: 'PUT' | 'PATCH' | 'POST';
  url: string;
  headers: Record<string, string>;
  body: Blob | FormData;
  /** Told how many of its bytes have left, and how many there are. */
  onProgress: (sent: number, total: number) => void;
}

/**
 * Sends bytes. By XMLHttpRequest, since `fetch` does not tell how many have left. `read` makes the outcome out of an answer
 * that is a success, or null if it is none after all.
 */
export function transfer<T>(
  { method, url, headers, body, onProgress }: Transfer,
  read: (request: XMLHttpRequest, answer: unknown) => T | null,
): Sending<T> {
  const request = new XMLHttpRequest();
  let stalled: ReturnType<typeof setTimeout> | undefined;

  const done = new Promise<T>((resolve, reject) => {
    const lost = () => reject(new ApiError('offline', 0, '', ''));
    const watch = () => {
      clearTimeout(stalled);
      stalled = setTimeout(() => {
        // Before the request says that it was ended, as if somebody had wanted that.
        lost();
        request.abort();
      }, STALLED_MS);
    };
    request.open(method, url);
    request.setRequestHeader('Accept', 'application/json');
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.upload.onprogress = (event) => {
      watch();
      onProgress(event.loaded, event.total);
    };
    // All bytes are out; how long the other side works on them is its own affair.
    request.upload.onload = () => clearTimeout(stalled);
    request.onerror = lost;
    request.onabort = () => reject(new ApiError('cancelled', 0, '', ''));
    request.onload = () => {
      const answer = parse(request.responseText);
      const outcome = request.status >= 200 && request.status < 300 ? read(request, answer) : null;
      if (outcome !== null) resolve(outcome);
      else reject(problemOf(request.status, answer, (name) => request.getResponseHeader(name)));
    };
    watch();
    request.send(body);
  }).finally(() => clearTimeout(stalled));

  return { done, cancel: () => request.abort() };
}

/** When a file was last changed, as far as that can be said: disks have times beyond those that are written down. */
export function timeOf(body: globalThis.File): Date | null {
  const time = new Date(body.lastModified);
  const year = time.getUTCFullYear();
  return body.lastModified && year >= 1 && year <= 9999 ? time : null;
}

/** Puts a file's bytes in one request. */
export function send<T = Entry>(url: string, body: Blob, onProgress: (sent: number) => void): Sending<T> {
  // The product finds out the type from the content; a form's types would only ask for trouble.
  const headers = { 'Content-Type': 'application/octet-stream' };
  return transfer<T>({ method: 'PUT', url, headers, body, onProgress }, (_, answer) => answer as T | null);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
