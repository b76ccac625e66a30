import { describe, expect, it } from 'vitest';
import { SseParser } from './sse';

const read = (...pieces: string[]) => {
  const parser = new SseParser();
  return { parser, messages: pieces.flatMap((piece) => parser.push(piece)) };
};

describe('SseParser', () => {
  it('reads messages with id, event and data', () => {
    const { messages, parser } = read('id: 7\nevent: start\ndata: {"a":1}\n\n');
    expect(messages).toEqual([{ id: '7', event: 'start', data: '{"a":1}' }]);
    expect(parser.lastId).toBe('7');
  });

  it('reads the same however the stream is cut, and whatever ends its lines', () => {
    const text = 'retry: 2000\n\n:\nid: 3\n\nid: 4\nevent: progress\ndata: one\ndata: two\n\ndata: x\n\n';
    const whole = read(text).messages;
    expect(whole).toEqual([
      { id: '4', event: 'progress', data: 'one\ntwo' },
      { id: '4', event: 'message', data: 'x' },
    ]);
    for (const end of ['\n', '\r', '\r\n']) {
      const other = text.replaceAll('\n', end);
      expect(read(...other).messages).toEqual(whole);
      for (let cut = 1; cut < other.length; cut++)
        expect(read(other.slice(0, cut), other.slice(cut)).messages).toEqual(whole);
    }
  });

  it('is moved on by an id without data, which is no message', () => {
    const { messages, parser } = read(':\nid: 41\n\n');
    expect(messages).toEqual([]);
    expect(parser.lastId).toBe('41');
  });

  it('keeps its place until a message is whole', () => {
    const { messages, parser } = read('id: 1\ndata: a\n\nid: 2\ndata: b\n');
    expect(messages).toHaveLength(1);
    expect(parser.lastId).toBe('1');
  });

  it('knows how long to wait, and passes over what it does not know', () => {
    const { messages, parser } = read('\ufeffretry: 2000\nretry: soon\nfoo: bar\nnothing\ndata\n\n');
    expect(parser.retryMs).toBe(2000);
    expect(messages).toEqual([{ id: '', event: 'message', data: '' }]);
  });
});
