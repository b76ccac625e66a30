/** Whether the product answers. Believed only after a request got no answer, not from what the browser thinks of its network. */
class Connection {
  lost = $state(false);
  #waiting = new Set<() => void>();
  #probe: ReturnType<typeof setTimeout> | null = null;
  #delay = 1000;

  /** How the page finds out that the product answers again; set once at start. */
  ping: () => Promise<boolean> = async () => true;

  constructor() {
    addEventListener('online', () => this.#check());
    addEventListener('offline', () => this.note(false));
  }

  note(answered: boolean): void {
    if (answered === !this.lost) return;
    this.lost = !answered;
    this.#delay = 1000;
    if (answered) this.#back();
    else this.#schedule();
  }

  /** Calls once when the product answers again. Gives back how to stop waiting. */
  whenBack(call: () => void): () => void {
    this.#waiting.add(call);
    return () => this.#waiting.delete(call);
  }

  retry(): void {
    this.#delay = 1000;
    this.#check();
  }

  #schedule(): void {
    if (this.#probe !== null) clearTimeout(this.#probe);
    this.#probe = setTimeout(() => this.#check(), this.#delay);
    this.#delay = Math.min(this.#delay * 2, 15_000);
  }

  async #check(): Promise<void> {
    if (!this.lost) return;
    if (await this.ping()) this.note(true);
    else this.#schedule();
  }

  #back(): void {
    if (this.#probe !== null) clearTimeout(this.#probe);
    this.#probe = null;
    const calls = [...this.#waiting];
    this.#waiting.clear();
    for (const call of calls) call();
  }
}

export const connection = new Connection();
