import { Rate } from './rate';

/** Speed and time left of what is on its way, brought up to date once a second while something is. */
export class Meter {
  /** Bytes a second. */
  speed = $state<number | null>(null);
  secondsLeft = $state<number | null>(null);
  #rate = new Rate();
  #clock: ReturnType<typeof setInterval> | null = null;

  constructor(readonly totals: () => { sent: number; bytes: number }) {}

  run(busy: boolean): void {
    if (busy && this.#clock === null) {
      this.#rate.reset();
      this.#measure();
      this.#clock = setInterval(() => this.#measure(), 1000);
    } else if (!busy && this.#clock !== null) {
      clearInterval(this.#clock);
      this.#clock = null;
      this.speed = null;
      this.secondsLeft = null;
    }
  }

  #measure(): void {
    const { sent, bytes } = this.totals();
    const now = performance.now();
    this.#rate.note(now, sent);
    this.speed = this.#rate.speed(now);
    this.secondsLeft = this.#rate.secondsLeft(now, bytes - sent);
  }
}
