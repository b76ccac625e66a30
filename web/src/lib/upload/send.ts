import { ApiError, problemOf } from '$lib/api/problem';
import type { File as Entry } from '$lib/api/types';

/** Nothing having moved for this long means that the line is dead, though nobody said so. */
const STALLED_MS = 60_000;

export interface Sending<T = Entry> {
  done: Promise<T>;
  cancel(): void;
}

/** Puts a file's bytes. By XMLHttpRequest, since `fetch` does not tell how many bytes have left. */
export function send<T = Entry>(url: string, body: Blob, onProgress: (sent: number) => void): Sending<T> {
  const request = new XMLHttpRequest();
  let stalled: ReturnType<typeof setTimeout> | undefined;

  const done = new Promise<T>((resolve, reject) => {
    const lost = () => reject(new ApiError('offline', 0, '', ''));
    const watch = () => {
      clearTimeout(stalled);
      stalled = setTimeout(() => {
        request.abort();
        lost();
      }, STALLED_MS);
    };
    request.open('PUT', url);
    request.setRequestHeader('Accept', 'application/json');
    // The product finds out the type from the content; a form's types would only ask for trouble.
    request.setRequestHeader('Content-Type', 'application/octet-stream');
    request.upload.onprogress = (event) => {
      watch();
      onProgress(event.loaded);
    };
    // All bytes are out; how long the other side works on them is its own affair.
    request.upload.onload = () => clearTimeout(stalled);
    request.onerror = lost;
    request.onabort = () => reject(new ApiError('cancelled', 0, '', ''));
    request.onload = () => {
      const answer = parse(request.responseText);
      if (request.status >= 200 && request.status < 300 && answer) resolve(answer as T);
      else reject(problemOf(request.status, answer, (name) => request.getResponseHeader(name)));
    };
    watch();
    request.send(body);
  }).finally(() => clearTimeout(stalled));

  return { done, cancel: () => request.abort() };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
