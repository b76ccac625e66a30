/**
 * Gathers many calls into few: the first one runs at once, those that follow within `ms` together once more at its end.
 * A run that takes longer is waited for.
 */
export function paced(run: () => Promise<unknown> | unknown, ms: number): { (): void; cancel(): void } {
  let timer: ReturnType<typeof setTimeout> | null = null;
  let running = false;
  let again = false;
  const go = async () => {
    again = false;
    running = true;
    timer = setTimeout(over, ms);
    try {
      await run();
    } finally {
      running = false;
      if (timer === null) over();
    }
  };
  const over = () => {
    timer = null;
    if (again && !running) go();
  };
  const call = () => {
    if (timer === null && !running) go();
    else again = true;
  };
  call.cancel = () => {
    if (timer !== null) clearTimeout(timer);
    timer = null;
    again = false;
  };
  return call;
}
