import { describe, expect, it } from 'vitest';
import { actionKey, auditQuery, detailsText, filterSearch, parseFilter } from './audit';

const actor = '0123456789abcdef01234567';

describe('the filter of the audit log', () => {
  it('is what its address says, and nothing else', () => {
    const filter = { actor, action: 'user.made', from: '2026-03-01', to: '2026-03-02' };
    expect(parseFilter(filterSearch(filter))).toEqual(filter);
    expect(parseFilter('actor=me&action=<b>&from=yesterday&to=')).toEqual({ actor: '', action: '', from: '', to: '' });
  });

  it('includes the whole of its last day', () => {
    const { from, to } = auditQuery({ actor: '', action: '', from: '2026-03-01', to: '2026-03-01' });
    expect(new Date(to ?? '').getTime() - new Date(from ?? '').getTime()).toBe(86_400_000);
    expect(auditQuery({ actor: '', action: '', from: '', to: '' })).toEqual({});
  });

  it('shows what it has no word for as it is', () => {
    expect(actionKey('user.made')).toBe('admin.action.user.made');
    expect(actionKey('user.teleported')).toBeNull();
    expect(detailsText({ role: 'admin', quotaBytes: null, was: { a: 1 } })).toBe(
      'role: admin, quotaBytes: null, was: {"a":1}',
    );
    expect(detailsText({ scopes: ['a', 'b'], members: ['a', 'b', 'c'] })).toBe('scopes: a b, members: 3');
  });
});
