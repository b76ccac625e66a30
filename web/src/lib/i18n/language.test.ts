import { describe, expect, it, vi } from 'vitest';
import { formatCount, formatSize, setLocale } from './format';
import { addTexts, speak, t } from './index';
import { language, localeFor, preferred } from './language.svelte';

describe('the language', () => {
  it('is the first of the reader’s that there is', () => {
    expect(preferred(['fr-FR', 'de-AT', 'en'])).toBe('de');
    expect(preferred(['EN-gb', 'de'])).toBe('en');
    expect(preferred(['fr', 'ja'])).toBe('en');
    expect(preferred([])).toBe('en');
    expect(preferred(['constructor'])).toBe('en');
  });
  it('is written as in the reader’s own country', () => {
    expect(localeFor('de', ['en-GB', 'de-CH'])).toBe('de-CH');
    expect(localeFor('de', ['en-GB'])).toBe('de');
  });
});

describe('a part that comes while another language is chosen', () => {
  it('is in that language, for each who waits for it', async () => {
    vi.stubGlobal('document', { documentElement: {} });
    vi.stubGlobal('navigator', { languages: ['en'] });
    const first = language.need('account');
    const chosen = language.choose('de');
    await language.need('account');
    await Promise.all([first, chosen]);
    expect(language.current).toBe('de');
    expect(t('account.title')).toBe('Dein Konto');

    const early = language.choose('en');
    const late = language.choose('de');
    await Promise.all([early, late, language.need('admin')]);
    expect([language.current, language.choice]).toEqual(['de', 'de']);
    expect(t('admin.title')).toBe('Verwaltung');
    await language.choose('en');
    expect(t('admin.title')).toBe('Administration');
    vi.unstubAllGlobals();
  });
});

describe('what is written', () => {
  it('follows the language', () => {
    addTexts({ 'tray.done': { one: '{count} Datei', other: '{count} Dateien' } });
    speak('de');
    setLocale('de');
    expect(t('tray.done', { count: 1 })).toBe('1 Datei');
    expect(t('tray.done', { count: 1200 })).toBe('1.200 Dateien');
    expect(formatCount(1234.5)).toBe('1.234,5');
    expect(formatSize(1_400_000)).toBe('1,4 MB');
    setLocale('en');
    speak('en');
    expect(formatCount(1234.5)).toBe('1,234.5');
  });
});
