import { beforeEach, describe, expect, it } from 'vitest';
import { toasts } from './toasts.svelte';

beforeEach(() => {
  toasts.clear();
});

const texts = () => toasts.list.map(({ text }) => text);

describe('toasts', () => {
  it('news drives out older news, never an error or what runs and can be stopped', () => {
    toasts.error('refused');
    toasts.show('moving', { tone: 'busy', action: { label: 'stop', run: () => {} } });
    for (const n of [1, 2, 3, 4]) toasts.show(`done ${n}`);
    expect(texts()).toEqual(['refused', 'moving', 'done 4']);
    toasts.error('refused, too');
    toasts.error('also refused');
    expect(texts()).toEqual(['refused', 'moving', 'refused, too', 'also refused']);
    toasts.show('done 5');
    expect(texts().at(-1)).toBe('done 5');
    toasts.error('refused');
    expect(texts().filter((text) => text === 'refused')).toHaveLength(1);
  });

  it('what can be undone outlasts news and errors, the latest three of it', () => {
    const action = { label: 'undo', run: () => {} };
    for (const n of [1, 2, 3, 4]) toasts.error(`refused ${n}`);
    for (const n of [1, 2, 3, 4]) toasts.show(`moved ${n}`, { action });
    for (const n of [1, 2]) toasts.show(`copied ${n}`);
    expect(texts().slice(4)).toEqual(['moved 2', 'moved 3', 'moved 4', 'copied 2']);
  });

  it('errors are not without end', () => {
    for (let n = 1; n <= 30; n += 1) toasts.error(`refused ${n}`);
    expect([texts().length, texts()[0], texts().at(-1)]).toEqual([10, 'refused 21', 'refused 30']);
  });

  it('nothing goes from under a pointer or the focus, and what was too much goes then', () => {
    toasts.show('first');
    toasts.hold(true);
    for (const n of [1, 2, 3, 4]) toasts.show(`done ${n}`);
    expect(texts()[0]).toBe('first');
    toasts.hold(false);
    expect(texts()).toEqual(['done 2', 'done 3', 'done 4']);
  });

  it('what is dismissed with the focus in it holds nothing after', () => {
    const only = toasts.show('first');
    toasts.hold(true);
    toasts.dismiss(only);
    for (const n of [1, 2, 3, 4]) toasts.show(`done ${n}`);
    expect(texts()).toEqual(['done 2', 'done 3', 'done 4']);
  });
});
