import { load, save } from '$lib/state/local';
import en from './en';
import { setLocale } from './format';
import { addTexts, type Catalogue, speak } from './index';

/** The languages that are complete, by the names that their speakers give them. */
export const LANGUAGES = { en: 'English', de: 'Deutsch' } as const;
export type Language = keyof typeof LANGUAGES;
/** Texts that come together: those of the first sight, and those of parts that are loaded later. */
export type Part =
  | 'base'
  | 'auth'
  | 'account'
  | 'admin'
  | 'jobs'
  | 'notices'
  | 'organise'
  | 'queue'
  | 'search'
  | 'viewer'
  | 'sharing'
  | 'public'
  | 'tray'
  | 'webhooks';
type Source = () => Promise<{ default: Partial<Catalogue> }>;

const sources: Record<Language, Record<Part, Source>> = {
  en: {
    base: async () => ({ default: en }),
    auth: () => import('./en-auth'),
    account: () => import('./en-account'),
    admin: () => import('./en-admin'),
    jobs: () => import('./en-jobs'),
    notices: () => import('./en-notices'),
    organise: () => import('./en-organise'),
    queue: () => import('./en-queue'),
    search: () => import('./en-search'),
    viewer: () => import('./en-viewer'),
    sharing: () => import('./en-sharing'),
    public: () => import('./en-public'),
    tray: () => import('./en-tray'),
    webhooks: () => import('./en-webhooks'),
  },
  de: {
    base: () => import('./de'),
    auth: () => import('./de-auth'),
    account: () => import('./de-account'),
    admin: () => import('./de-admin'),
    jobs: () => import('./de-jobs'),
    notices: () => import('./de-notices'),
    organise: () => import('./de-organise'),
    queue: () => import('./de-queue'),
    search: () => import('./de-search'),
    viewer: () => import('./de-viewer'),
    sharing: () => import('./de-sharing'),
    public: () => import('./de-public'),
    tray: () => import('./de-tray'),
    webhooks: () => import('./de-webhooks'),
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
  #coming = new Map<Part, Promise<void>>();

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
      save('language', this.choice);
    } catch (thrown) {
      this.choice = before;
      throw thrown;
    }
  }

  /** Brings the texts of a part, before it is shown. */
  async need(part: Part): Promise<void> {
    if (this.#parts.has(part)) return;
    const coming = this.#coming.get(part) ?? this.#bring(part).finally(() => this.#coming.delete(part));
    this.#coming.set(part, coming);
    await coming;
  }

  async #bring(part: Part): Promise<void> {
    let language: Language;
    let texts: Partial<Catalogue>;
    do {
      // Again, if the language was changed while these were on their way.
      language = this.current;
      texts = (await sources[language][part]()).default;
    } while (language !== this.current);
    addTexts(texts);
    this.#parts.add(part);
  }

  async #apply(): Promise<void> {
    const wanted = navigator.languages;
    const { choice } = this;
    const language = choice === 'auto' ? preferred(wanted) : choice;
    const texts = new Map<Part, Partial<Catalogue>>();
    const missing = () => [...this.#parts].filter((part) => !texts.has(part));
    // Other parts may come, in the language so far, while these are on their way.
    while (missing().length > 0)
      await Promise.all(missing().map(async (part) => texts.set(part, (await sources[language][part]()).default)));
    // Somebody has chosen again meanwhile.
    if (choice !== this.choice) return;
    for (const one of texts.values()) addTexts(one);
    const locale = localeFor(language, wanted);
    speak(locale);
    setLocale(locale);
    document.documentElement.lang = language;
    if (language !== this.current) this.epoch += 1;
    this.current = language;
  }
}

export const language = new LanguageState();
