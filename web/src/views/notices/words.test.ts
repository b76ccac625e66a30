import { beforeAll, describe, expect, it } from 'vitest';
import enNotices from '$lib/i18n/en-notices';
import { addTexts } from '$lib/i18n/index';
import { wordsOf } from './words';

beforeAll(() => addTexts(enNotices));

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

  it('is what the product says where the kind is not known, or its data are none', () => {
    expect(wordsOf({ kind: 'moon.full', text: 'The moon is full', data: null })).toMatchObject({
      title: 'The moon is full',
      text: '',
      fileId: null,
    });
    expect(wordsOf({ kind: 'link.used', text: '', data: 'nothing' })).toMatchObject({ text: '', fileId: null });
  });
});
