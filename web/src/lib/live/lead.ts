/** What is used of the browser's Web Locks. */
export interface Locks {
  request(name: string, options: { signal: AbortSignal }, held: () => Promise<void>): Promise<unknown>;
}

/** Whether somebody looks at this tab, and when that changes. */
export interface Visibility {
  visible(): boolean;
  onChange(call: () => void): () => void;
}

/**
 * Runs `work` in one tab of many: in the one that has the lock of this name, for as long as it lives; then in the next.
 * Browsers have locks only on secure origins (HTTPS, or this machine). Elsewhere each tab works for itself while
 * somebody looks at it, so that tabs in the background take no connection.
 *
 * `work` ends when its signal says so. Ends when `signal` does, or when `work` ended by itself.
 */
export async function lead(
  name: string,
  work: (signal: AbortSignal) => Promise<void>,
  signal: AbortSignal,
  locks: Locks | undefined,
  visibility: Visibility,
): Promise<void> {
  if (locks) {
    try {
      await locks.request(name, { signal }, () => work(signal));
    } catch (thrown) {
      // What waits in line and is called off is no mistake.
      if (!signal.aborted) throw thrown;
    }
    return;
  }
  while (!signal.aborted) {
    await shown(signal, visibility);
    if (signal.aborted) return;
    const turn = new AbortController();
    const stop = () => turn.abort();
    const forget = visibility.onChange(() => !visibility.visible() && stop());
    signal.addEventListener('abort', stop);
    await work(turn.signal);
    forget();
    signal.removeEventListener('abort', stop);
    if (!turn.signal.aborted) return;
  }
}

function shown(signal: AbortSignal, visibility: Visibility): Promise<void> {
  return new Promise((resume) => {
    if (visibility.visible() || signal.aborted) return resume();
    const done = () => {
      if (!visibility.visible() && !signal.aborted) return;
      forget();
      signal.removeEventListener('abort', done);
      resume();
    };
    const forget = visibility.onChange(done);
    signal.addEventListener('abort', done);
  });
}
