import { beforeAll, describe, expect, it, vi } from 'vitest';
import { ApiError } from '$lib/api/problem';

let Wrongs: typeof import('./wrongs.svelte').Wrongs;
let explain: typeof import('$lib/api/explain').explain;

beforeAll(async () => {
  vi.stubGlobal('navigator', { language: 'en' });
  ({ Wrongs } = await import('./wrongs.svelte'));
  ({ explain } = await import('$lib/api/explain'));
});

const refused = (code: string, ...pointers: string[]) => {
  const fields = pointers.map((pointer) => ({ pointer, code: 'invalid', detail: 'too many' }));
  return new ApiError('product', 400, code, 'it cannot be done', fields);
};

describe('what is wrong with a form', () => {
  it('stands at the fields it is about, and below them if it is about none', () => {
    const wrongs = new Wrongs(['max', 'perMs']);
    wrongs.error = refused('invalid_request', '/max');
    expect([wrongs.fields, wrongs.failure]).toEqual([{ max: 'Too many.' }, '']);
    const other = refused('invalid_request', '/elsewhere');
    wrongs.error = other;
    expect([wrongs.fields, wrongs.failure]).toEqual([{}, explain(other)]);
    expect(wrongs.failure).not.toBe('');
  });

  it('stands at the field that a code is about', () => {
    const wrongs = new Wrongs(['type', 'uniqueKey'], { key_taken: { uniqueKey: 'taken' } });
    wrongs.error = refused('key_taken');
    expect([wrongs.fields, wrongs.failure]).toEqual([{ uniqueKey: 'taken' }, '']);
  });

  it('is gone from a field that is mended, and does not come back below the fields', () => {
    const wrongs = new Wrongs(['max', 'perMs']);
    wrongs.error = refused('invalid_request', '/max', '/perMs');
    wrongs.mended('max')();
    expect([wrongs.fields, wrongs.failure]).toEqual([{ perMs: 'Too many.' }, '']);
    wrongs.mended('perMs')();
    expect([wrongs.fields, wrongs.failure]).toEqual([{}, '']);
  });

  it('is not left below the fields when the form is sent again', () => {
    const wrongs = new Wrongs(['max', 'perMs']);
    wrongs.error = refused('invalid_request');
    // As the form does first.
    wrongs.error = null;
    expect(wrongs.failure).toBe('');
  });
});
