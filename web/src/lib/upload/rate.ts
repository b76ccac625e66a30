interface Sample {
  at: number;
  bytes: number;
}

/** How far back the speed looks, in milliseconds: long enough to be calm, short enough to notice a change. */
const WINDOW_MS = 8_000;

/** Speed and time left of something of which `bytes` are done, from what was seen in the last seconds. */
export class Rate {
  #samples: Sample[] = [];

  /** Notes how much is done by now. Time in milliseconds, never going back. */
  note(at: number, bytes: number): void {
    const last = this.#samples.at(-1);
    // What was cancelled or begun again takes bytes back: what was seen before says nothing any more.
    if (last && bytes < last.bytes) this.#samples = [];
    this.#samples.push({ at, bytes });
    while (this.#samples.length > 2 && at - (this.#samples[1]?.at ?? at) >= WINDOW_MS) this.#samples.shift();
  }

  /** Bytes a second, or null while too little was seen to say one. */
  speed(now: number): number | null {
    const first = this.#samples[0];
    const last = this.#samples.at(-1);
    if (!first || !last || last.at - first.at < 500) return null;
    // Measured to now, not to the last sample: a stalled line gets slower, not stuck at its old speed.
    return ((last.bytes - first.bytes) / Math.max(now - first.at, 1)) * 1000;
  }

  /** Seconds until `remaining` bytes are done, or null while that cannot be said. */
  secondsLeft(now: number, remaining: number): number | null {
    const speed = this.speed(now);
    if (remaining <= 0) return 0;
    return speed === null || speed < 1 ? null : remaining / speed;
  }

  reset(): void {
    this.#samples = [];
  }
}
