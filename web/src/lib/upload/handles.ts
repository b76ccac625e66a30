/**
 * Handles of files that were dropped, by which a browser finds them again after a reload. Chromium has them, on secure
 * origins; elsewhere the file has to be chosen again.
 */
export interface FileHandle {
  getFile(): Promise<globalThis.File>;
  queryPermission?(options: { mode: 'read' }): Promise<PermissionState>;
  requestPermission?(options: { mode: 'read' }): Promise<PermissionState>;
}

const NAME = 'fm-uploads';
const STORE = 'handles';

function open(): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(NAME, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE);
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

async function inStore<T>(mode: IDBTransactionMode, act: (store: IDBObjectStore) => IDBRequest<T>): Promise<T> {
  const database = await open();
  try {
    return await new Promise((resolve, reject) => {
      const request = act(database.transaction(STORE, mode).objectStore(STORE));
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
  } finally {
    database.close();
  }
}

export async function keepHandle(uploadId: string, handle: FileHandle): Promise<void> {
  await inStore('readwrite', (store) => store.put(handle, uploadId));
}

export async function keptHandle(uploadId: string): Promise<FileHandle | undefined> {
  return inStore<FileHandle | undefined>('readonly', (store) => store.get(uploadId));
}

/** The uploads of which a handle is kept. */
export async function uploadsWithHandle(): Promise<string[]> {
  return (await inStore('readonly', (store) => store.getAllKeys())).map(String);
}

export async function forgetHandle(uploadId: string): Promise<void> {
  await inStore('readwrite', (store) => store.delete(uploadId));
}

/** The file, if the browser lets us read it without asking; with `ask` the reader is asked, which a click must begin. */
export async function fileOf(handle: FileHandle, ask: boolean): Promise<globalThis.File | null> {
  try {
    let may = (await handle.queryPermission?.({ mode: 'read' })) ?? 'granted';
    if (may === 'prompt' && ask) may = (await handle.requestPermission?.({ mode: 'read' })) ?? 'denied';
    return may === 'granted' ? await handle.getFile() : null;
  } catch {
    // Moved or deleted since.
    return null;
  }
}
