import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { addTexts, type Catalogue } from '$lib/i18n';
import { explain } from './explain';
import { ApiError } from './problem';

/** Where the product keeps its codes, each with its status: `Variant "word" 400 "Title",`. */
const source = readFileSync(new URL('../../../../crates/common/src/error.rs', import.meta.url), 'utf8');
const codes = [...source.matchAll(/^ {4}[A-Z]\w+ "(\w+)" (\d{3}) "/gm)].map(
  ([, word = '', status]): [string, number] => [word, Number(status)],
);

/** What cannot be said better than by the server, since the code stands for too much. */
const SAID_BY_THE_SERVER: Record<string, string> = {
  invalid_request: 'each has a reason of its own; forms say it at their fields',
  unprocessable: 'the same; sharing and webhooks know theirs by the status',
};

/** What the page never causes. */
const OF_NO_PAGE: Record<string, string> = {
  called_off: 'between services',
  expectation_failed: 'browsers send no Expect',
  headers_too_large: 'browsers bound what they send',
  idempotency_key_reused: 'the page sends no such keys',
  invalid_idempotency_key: 'the page sends no such keys',
  invalid_json: 'the page writes JSON by the types of the document',
  invalid_range: 'the ranges that the page asks for are well formed',
  lease_lost: 'for workers',
  method_not_allowed: 'the page calls what the document lists',
  no_thumbnail: 'asked for by pictures, which show another one then',
  not_acceptable: 'the page takes every form',
  range_not_satisfiable: 'the page asks for no byte beyond the size that it knows',
};

type Module = { default: Partial<Catalogue> };
const texts = (language: 'en' | 'de'): Partial<Catalogue>[] => {
  const all = import.meta.glob<Module>(['../i18n/en.ts', '../i18n/en-*.ts', '../i18n/de.ts', '../i18n/de-*.ts'], {
    eager: true,
  });
  return Object.entries(all)
    .filter(([path]) => new RegExp(`/${language}(-\\w+)?\\.ts$`).test(path))
    .map(([, part]) => part.default);
};

const DETAIL = 'What only the server says.';
const say = (code: string, status: number): string => explain(new ApiError('product', status, code, DETAIL));

it('finds the codes', () => {
  const words = codes.map(([word]) => word);
  expect(words).toEqual(expect.arrayContaining(['invalid_request', 'not_in_trash', 'disk_full']));
  expect(words.length).toBe(source.match(/^ {4}[A-Z]\w+ "\w+" \d{3}/gm)?.length);
  expect(words).toEqual(expect.arrayContaining(Object.keys({ ...SAID_BY_THE_SERVER, ...OF_NO_PAGE })));
});

it('leaves a code whose text is not here to the server', () => {
  expect(say('not_in_trash', 409)).toContain(DETAIL);
});

describe.each(['en', 'de'] as const)('in the language %s', (language) => {
  beforeAll(() => {
    for (const part of texts(language)) addTexts(part);
  });

  it.each(codes.filter(([word]) => !(word in OF_NO_PAGE) && !(word in SAID_BY_THE_SERVER)))(
    '%s is explained',
    (...of) => {
      const said = say(...of);
      expect(said).not.toContain(DETAIL);
      // A sentence, and no key of one.
      expect(said).toMatch(/\s/);
    },
  );

  it.each(Object.keys(SAID_BY_THE_SERVER))('%s is said by the server, in words around it', (word) => {
    expect(say(word, 400)).toContain(DETAIL);
    expect(say(word, 400)).not.toBe(DETAIL);
  });
});
