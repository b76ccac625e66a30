import { describe, expect, it } from 'vitest';
import { apiQuery, everything, filterQuery, fromField, narrows, parseFilter, toField } from './filter';

const user = '0123456789abcdef01234567';

describe('the filter in the address', () => {
  it('survives being written and read', () => {
    const filters = [
      everything,
      { ...everything, state: 'failed' as const, type: 'mail & more', q: 'a "b" + c', order: 'asc' as const },
      { ...everything, span: '24h' as const, user },
      { ...everything, from: '2026-01-01T00:00:00.000Z', to: '2026-01-02T10:30:00.000Z' },
    ];
    for (const filter of filters) expect(parseFilter(`?${filterQuery(filter)}`)).toEqual(filter);
  });

  it('says nothing of what is as usual', () => {
    expect(filterQuery(everything)).toBe('');
  });

  it('leaves out what makes no sense', () => {
    expect(parseFilter('?state=gone&span=toString&from=noon&to=&user=me&order=up&x=1')).toEqual(everything);
  });

  it('takes a stretch that ends now before two dates', () => {
    const filter = { ...everything, span: '1h' as const, from: '2026-01-01T00:00:00.000Z' };
    expect(filterQuery(filter)).toBe('span=1h');
    expect(apiQuery(filter, Date.parse('2026-05-01T12:00:00Z'))).toEqual({ from: '2026-05-01T11:00:00.000Z' });
  });

  it('asks the API only for what is wanted', () => {
    expect(apiQuery(everything, 0)).toEqual({});
    expect(apiQuery({ ...everything, state: 'active', q: '  ', type: 'x', user, order: 'asc' }, 0)).toEqual({
      state: 'active',
      type: 'x',
      userId: user,
      order: 'asc',
    });
  });

  it('knows whether anything is left out', () => {
    expect(narrows({ ...everything, state: 'failed', order: 'asc' })).toBe(false);
    expect(narrows({ ...everything, q: 'x' })).toBe(true);
  });

  it('shows instants by the reader’s clock', () => {
    const iso = '2026-01-02T10:30:00.000Z';
    expect(fromField(toField(iso))).toBe(iso);
    expect(toField('')).toBe('');
    expect(fromField('')).toBe('');
  });
});
