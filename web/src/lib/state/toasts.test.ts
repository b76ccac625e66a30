import { describe, expect, it } from 'vitest';
import { toasts } from './toasts.svelte';

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
});
