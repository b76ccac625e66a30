import { describe, expect, it } from 'vitest';
import { metadata, metadataValue } from './resumable';

describe('what is said of an upload', () => {
  it.each(['film.mkv', 'ä ö 🌲.txt', 'a,b c=d', ''])('%s comes back as it was', (name) => {
    const text = metadata({ filename: name, folder: 'root' });
    expect(text).not.toMatch(/[^ -~]/);
    expect(metadataValue(text, 'filename')).toBe(name);
    expect(metadataValue(text, 'folder')).toBe('root');
  });

  it('is as tus writes it', () => {
    expect(metadata({ filename: 'film.mkv', folder: 'root' })).toBe('filename ZmlsbS5ta3Y=,folder cm9vdA==');
  });

  it('may lack what is asked for', () => {
    expect(metadataValue(null, 'filename')).toBeNull();
    expect(metadataValue('filename eA==', 'lastModified')).toBeNull();
    expect(metadataValue('lastModified %%%', 'lastModified')).toBeNull();
  });
});
