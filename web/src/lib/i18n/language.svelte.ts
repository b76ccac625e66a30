import { load, save } from '$lib/state/local';
import en from './en';
import { setLocale } from './format';
import { addTexts, type Catalogue, speak } from './index';

/** The languages that are complete, by the names that their speakers give them. */
export const LANGUAGES = { en: 'English', de: 'Deutsch' } as const;
export type Language = keyof typeof LANGUAGES;
/** Texts that come together: those of the first sight, and those of parts that are loaded later. */
export type Part = 'base' | 'auth' | 'account' | 'admin' | 'queue' | 'viewer';
type Source = () => Promise<{ default: Partial<Catalogue> }>;

const sources: Record<Language, Record<Part, Source>> = {
  en: {
    base: async () => ({ default: en }),
    auth: () => import('./en-auth'),
    account: () => import('./en-account'),
    admin: () => import('./en-admin'),
    queue: () => import('./en-queue'),
    viewer: () => import('./en-viewer'),
  },
  de: {
    base: () => import('./de'),
    auth: () => import('./de-auth'),
    account: () => import('./de-account'),
    admin: () => import('./de-admin'),
    queue: () => import('./de-queue'),
    viewer: () => import('./de-viewer'),
  },
};

export const isLanguage = (name: string): name is Language => Object.hasOwn(LANGUAGES, name);
const baseOf = (locale: string): string => locale.split('-')[0]?.toLowerCase() ?? '';

/** The first of the reader's languages that there is, else English. */
export function preferred(wanted: readonly string[]): Language {
  return wanted.map(baseOf).find(isLanguage) ?? 'en';
}

/** How numbers and times are written: as the reader's own variety of the language does (`de-AT`), if there is one. */
export function localeFor(language: Language, wanted: readonly string[]): string {
  return wanted.find((locale) => baseOf(locale) === language) ?? language;
}

class LanguageState {
  /** What the reader chose, or to follow the browser. */
  choice = $state<Language | 'auto'>('auto');
  current = $state<Language>('en');
  /** Grows when the language changes: what shows texts is drawn anew. */
  epoch = $state(0);
  #parts = new Set<Part>(['base']);

  /** Before the page is drawn. Without the texts of the language wanted, English is shown. */
  async start(): Promise<void> {
    const kept = load<string>('language', 'auto');
    this.choice = isLanguage(kept) ? kept : 'auto';
    await this.#apply().catch(() => {});
  }

  async choose(choice: Language | 'auto'): Promise<void> {
    const before = this.choice;
    this.choice = choice;
    try {
      await this.#apply();
      save('language', choice);
    } catch (thrown) {
      this.choice = before;
      throw thrown;
    }
  }

  /** Brings the texts of a part, before it is shown. */
  async need(part: Part): Promise<void> {
    if (this.#parts.has(part)) return;
    const language = this.current;
    addTexts((await sources[language][part]()).default);
    this.#parts.add(part);
    // The language was changed while these were on their way.
    if (language !== this.current) addTexts((await sources[this.current][part]()).default);
  }

  async #apply(): Promise<void> {
    const wanted = navigator.languages;
    const language = this.choice === 'auto' ? preferred(wanted) : this.choice;
    const texts = await Promise.all([...this.#parts].map((part) => sources[language][part]()));
    for (const one of texts) addTexts(one.default);
    const locale = localeFor(language, wanted);
    speak(locale);
    setLocale(locale);
    document.documentElement.lang = language;
    if (language !== this.current) this.epoch += 1;
    this.current = language;
  }
}

export const language = new LanguageState();
