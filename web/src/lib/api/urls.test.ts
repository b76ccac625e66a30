import { describe, expect, it } from 'vitest';
import { archiveUrl, contentUrl, downloadUrl, readBy, readsContents, segment, thumbnailUrl, uploadUrl } from './urls';

describe('addresses', () => {
  it.each([
    ['100 % sure?.txt', '100%20%25%20sure%3F.txt'],
    ['a#b', 'a%23b'],
    ['%2F', '%252F'],
    ['ä/ö', '%C3%A4%2F%C3%B6'],
    ['a+b&c=d;e', 'a%2Bb%26c%3Dd%3Be'],
    ['🌲', '%F0%9F%8C%B2'],
  ])('encodes the name %s', (name, encoded) => {
    expect(segment(name)).toBe(encoded);
    const url = new URL(uploadUrl('root', name, 'fail', null), 'http://host');
    const raw = url.pathname.split('/').at(-2) ?? '';
    expect(decodeURIComponent(raw)).toBe(name);
    expect(url.hash).toBe('');
  });

  it('puts conflict and time into the query', () => {
    const url = new URL(uploadUrl('root', 'a', 'rename', new Date(1_700_000_000_123)), 'http://host');
    expect(url.searchParams.get('onConflict')).toBe('rename');
    expect(url.searchParams.get('modifiedAt')).toBe('2023-11-14T22:13:20.123Z');
  });

  it('names contents and thumbnails', () => {
    expect(contentUrl('abc')).toMatch(/\/api\/v1\/files\/abc\/content$/);
    expect(contentUrl('abc', { download: true })).toMatch(/content\?download=true$/);
    expect(archiveUrl(['abc'])).toMatch(/\/api\/v1\/files\/abc\/archive$/);
    expect(archiveUrl(['abc', 'def'])).toMatch(/\/api\/v1\/archives\?ids=abc,def$/);
    expect(downloadUrl([{ id: 'abc', type: 'file' }])).toMatch(/content\?download=true$/);
    expect(downloadUrl([{ id: 'abc', type: 'folder' }])).toMatch(/\/archive$/);
    expect(thumbnailUrl({ id: 'abc', version: 3 }, 250)).toMatch(/\/files\/abc\/thumbnails\/250\?v=3$/);
  });
});

describe('addresses by a link', () => {
  const link = { token: 'tok', root: 'top', contents: false, read: () => Promise.reject(), save() {} };

  it('lead through the link, and back when it is left', () => {
    readBy(link);
    expect(contentUrl('top')).toMatch(/\/api\/v1\/public\/tok\/content$/);
    expect(contentUrl('abc', { download: true })).toMatch(/public\/tok\/content\?id=abc&download=true$/);
    expect(thumbnailUrl({ id: 'top', version: 2 }, 100)).toMatch(/public\/tok\/thumbnails\/100\?v=2$/);
    expect(thumbnailUrl({ id: 'abc', version: 2 }, 100)).toMatch(/public\/tok\/thumbnails\/100\?id=abc&v=2$/);
    expect(readsContents()).toBe(false);
    readBy(null);
    expect(contentUrl('abc')).toMatch(/\/files\/abc\/content$/);
    expect(readsContents()).toBe(true);
  });
});
