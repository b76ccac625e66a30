import { describe, expect, it } from 'vitest';
import { formatCount, formatSize, setLocale } from './format';
import { addTexts, speak, t } from './index';
import { localeFor, preferred } from './language.svelte';

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
