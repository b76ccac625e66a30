/** A message of a stream of Server-Sent Events. */
export interface SseMessage {
  /** The place in the stream that it brings one to; `''` before any. */
  id: string;
  event: string;
  data: string;
}

/** Reads a stream of Server-Sent Events piece by piece, however the pieces are cut. */
export class SseParser {
  /** Where one is: what `Last-Event-ID` says on coming back. Moved on by messages without data, too. */
  lastId: string;
  /** How long the server asks to wait before coming back, in milliseconds. */
  retryMs: number | null = null;
  #line = '';
  #afterCr = false;
  #begun = false;
  #id: string;
  #event = '';
  #data: string[] = [];

  constructor(lastId = '') {
    this.lastId = lastId;
    this.#id = lastId;
  }

  /** Takes the next piece; gives the messages that it completes. */
  push(piece: string): SseMessage[] {
    const messages: SseMessage[] = [];
    let text = piece;
    if (!this.#begun && text) {
      this.#begun = true;
      if (text.startsWith('\ufeff')) text = text.slice(1);
    }
    let from = 0;
    for (let at = 0; at < text.length; at++) {
      const char = text[at];
      if (char !== '\n' && char !== '\r') {
        this.#afterCr = false;
        continue;
      }
      // A line may end in CR, LF or both, and the two may come in two pieces.
      if (char === '\n' && this.#afterCr) {
        this.#afterCr = false;
        from = at + 1;
        continue;
      }
      this.#afterCr = char === '\r';
      const line = this.#line + text.slice(from, at);
      this.#line = '';
      from = at + 1;
      if (line) this.#field(line);
      else this.#dispatch(messages);
    }
    this.#line += text.slice(from);
    return messages;
  }

  #field(line: string): void {
    const colon = line.indexOf(':');
    if (colon === 0) return;
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1);
    if (name === 'data') this.#data.push(value);
    else if (name === 'event') this.#event = value;
    else if (name === 'id' && !value.includes('\0')) this.#id = value;
    else if (name === 'retry' && /^\d+$/.test(value)) this.retryMs = Number(value);
  }

  #dispatch(messages: SseMessage[]): void {
    this.lastId = this.#id;
    if (this.#data.length > 0)
      messages.push({ id: this.#id, event: this.#event || 'message', data: this.#data.join('\n') });
    this.#event = '';
    this.#data = [];
  }
}
