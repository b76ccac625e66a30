/** How long other tabs have to say which uploads are theirs. */
const ANSWERS_MS = 250;

type Word = { ask: true } | { mine: string[] };

/** Tells other tabs from now on which uploads are on their way in this one, and asks which are in them. */
export class Tabs {
  #channel: BroadcastChannel;
  #elsewhere = new Set<string>();

  /** `name` is that of all who may go on with the same uploads. */
  constructor(name: string, mine: () => string[]) {
    this.#channel = new BroadcastChannel(name);
    this.#channel.onmessage = ({ data }: MessageEvent<Word>) => {
      if ('ask' in data) this.#channel.postMessage({ mine: mine() } satisfies Word);
      else for (const id of data.mine) this.#elsewhere.add(id);
    };
    this.#channel.postMessage({ ask: true } satisfies Word);
  }

  /** Those that are on their way elsewhere. */
  async others(): Promise<ReadonlySet<string>> {
    await new Promise((resume) => setTimeout(resume, ANSWERS_MS));
    return this.#elsewhere;
  }

  close(): void {
    this.#channel.close();
  }
}
