import en from './en';
import type enAccount from './en-account';
import type enAdmin from './en-admin';
import type enAuth from './en-auth';
import type enJobs from './en-jobs';
import type enNotices from './en-notices';
import type enOrganise from './en-organise';
import type enPublic from './en-public';
import type enQueue from './en-queue';
import type enSearch from './en-search';
import type enSharing from './en-sharing';
import type enTray from './en-tray';
import type enViewer from './en-viewer';
import type enWebhooks from './en-webhooks';

/** A text with `{places}`, or one for each plural form that the language has, chosen by the place `{count}`. */
export type Message = string | { one?: string; other: string };

/** Every text: those of the first sight, and those that come with the part that shows them. */
type Texts = typeof en &
  typeof enAuth &
  typeof enAccount &
  typeof enAdmin &
  typeof enJobs &
  typeof enNotices &
  typeof enOrganise &
  typeof enSearch &
  typeof enQueue &
  typeof enViewer &
  typeof enSharing &
  typeof enPublic &
  typeof enTray &
  typeof enWebhooks;
export type Key = keyof Texts;
/** What another language provides: the same keys. */
export type Catalogue = Record<Key, Message>;
/** One file of another language: the keys of the English file of the same part. */
export type Translated<English> = Record<keyof English, Message>;

type Places<S> = S extends `${string}{${infer Name}}${infer Rest}` ? Name | Places<Rest> : never;
type TextOf<M> = M extends string ? M : M extends Record<string, string> ? M[keyof M] : never;
export type Params<K extends Key> = Places<TextOf<Texts[K]>>;
/** Keys of texts without places, for tables of names. */
export type PlainKey = { [K in Key]: [Params<K>] extends [never] ? K : never }[Key];
type Args<K extends Key> = [Params<K>] extends [never] ? [] : [Record<Params<K>, string | number>];

const catalogue: Partial<Catalogue> = { ...en };
let plurals = new Intl.PluralRules('en');
let numbers = new Intl.NumberFormat('en');

/** Adds texts, over those that are there under the same keys. */
export function addTexts(texts: Partial<Catalogue>): void {
  Object.assign(catalogue, texts);
}

/** Says by which rules plurals and numbers are written from now on. */
export function speak(locale: string): void {
  plurals = new Intl.PluralRules(locale);
  numbers = new Intl.NumberFormat(locale);
}

/** The text for a key, its places filled. Numbers are written as the language writes them. */
export function t<K extends Key>(key: K, ...args: Args<K>): string {
  const values = (args[0] ?? {}) as Record<string, string | number>;
  const message: Message = catalogue[key] ?? key;
  const text =
    typeof message === 'string'
      ? message
      : (plurals.select(Number(values.count)) === 'one' && message.one) || message.other;
  return text.replace(/\{(\w+)\}/g, (place, name: string) => {
    const value = values[name];
    return value === undefined ? place : typeof value === 'number' ? numbers.format(value) : value;
  });
}
