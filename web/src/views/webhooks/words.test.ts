import { beforeAll, describe, expect, it } from 'vitest';
import enWebhooks from '$lib/i18n/en-webhooks';
import { addTexts } from '$lib/i18n/index';
import { isAddress, markOf, nameOf } from './words';

beforeAll(() => addTexts(enWebhooks));

describe('a webhook', () => {
  it('is called by what it is for, or where it goes', () => {
    expect(nameOf({ description: ' Reports ', url: 'https://example.org/hooks' })).toBe('Reports');
    expect(nameOf({ description: ' ', url: 'https://example.org:8443/hooks' })).toBe('example.org:8443');
    expect(nameOf({ description: '', url: 'nonsense' })).toBe('nonsense');
  });

  it('says how it stands, and warns where nobody turned it off', () => {
    const at = '2026-01-01T00:00:00.000Z';
    expect(markOf({ active: true, off: null, failures: 0 })).toEqual({ text: 'On', tone: 'done' });
    expect(markOf({ active: true, off: null, failures: 2 })).toEqual({ text: 'Not arriving', tone: 'wait' });
    expect(markOf({ active: false, off: { reason: 'owner', at }, failures: 0 }).tone).toBe('plain');
    expect(markOf({ active: false, off: { reason: 'gone', at }, failures: 9 })).toEqual({
      text: 'Off',
      tone: 'danger',
    });
  });

  it.each([
    ['https://example.org/hooks?a=b', true],
    ['http://example.org', true],
    ['ftp://example.org', false],
    ['https://me:secret@example.org', false],
    ['example.org/hooks', false],
    ['', false],
  ])('may go to %s: %s', (url, may) => {
    expect(isAddress(url)).toBe(may);
  });
});
