import { getLimits, getUsage } from '$lib/api/files';
import type { Limits, Usage } from '$lib/api/types';
import { whoActs } from './undo';

/** The storage used. Read again a moment after something changed it, once for many changes. */
class UsageState {
  value = $state.raw<Usage | null>(null);
  limits = $state.raw<Limits | null>(null);
  #timer: ReturnType<typeof setTimeout> | null = null;

  async refresh(): Promise<void> {
    const here = whoActs();
    try {
      const [value, limits] = await Promise.all([getUsage(), getLimits()]);
      if (here()) [this.value, this.limits] = [value, limits];
    } catch {
      // The bar keeps what it showed; a lost connection is told by the banner.
    }
  }

  changed(): void {
    if (this.#timer !== null) return;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.refresh();
    }, 800);
  }

  clear(): void {
    this.value = null;
    this.limits = null;
  }
}

export const usage = new UsageState();
