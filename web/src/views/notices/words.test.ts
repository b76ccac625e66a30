import { beforeAll, describe, expect, it, vi } from 'vitest';
import enNotices from '$lib/i18n/en-notices';
import { addTexts } from '$lib/i18n/index';

let wordsOf: typeof import('./words').wordsOf;

beforeAll(async () => {
  addTexts(enNotices);
  // Places are named by the router, which follows the browser's address from its first moment on.
  vi.stubGlobal('location', { pathname: '/', search: '' });
  vi.stubGlobal('history', { state: null });
  vi.stubGlobal('addEventListener', () => {});
  vi.stubGlobal('document', { addEventListener: () => {} });
  ({ wordsOf } = await import('./words'));
});

describe('what a notification says', () => {
  it('tells how a link was used, and leads to what was last read or dropped by it', () => {
    const data = { linkId: 'l', label: 'Ann', fileId: 'folder', lastFileId: 'file', downloads: 2, drops: 1 };
    const words = wordsOf({ kind: 'link.used', text: 'in English', data });
    expect(words).toMatchObject({
      title: 'The link “Ann” was used',
      text: '2 downloads · 1 file was added',
      fileId: 'file',
    });
  });

  it('tells why a job failed', () => {
    const data = { jobId: 'j', type: 'thumbnails', error: 'torn', fileId: 'file' };
    const words = wordsOf({ kind: 'job.failed', text: 'in English', data });
    expect(words).toMatchObject({ title: enNotices['notices.thumbnails'], text: 'torn', fileId: 'file' });
  });

  it('tells why a webhook was turned off, and leads to it', () => {
    const about = (reason: string) => ({
      kind: 'webhook.switched-off' as const,
      text: 'in English',
      data: { webhookId: '0123456789abcdef01234567', reason },
    });
    expect(wordsOf(about('gone'))).toMatchObject({
      text: enNotices['notices.webhook.gone'],
      to: { href: '/app/account/webhooks/0123456789abcdef01234567' },
    });
    expect(wordsOf(about('toString')).text).toBe('in English');
  });

  it('is what the product says where the kind is not known, or its data are none', () => {
    expect(wordsOf({ kind: 'moon.full', text: 'The moon is full', data: null })).toMatchObject({
      title: 'The moon is full',
      text: '',
      fileId: null,
    });
    expect(wordsOf({ kind: 'link.used', text: '', data: 'nothing' })).toMatchObject({ text: '', fileId: null });
  });
});
