import type { File } from '$lib/api/types';

/** Languages by the ending of a name; how the highlighter calls them. */
const BY_ENDING: Record<string, string> = {
  bash: 'bash',
  c: 'c',
  cc: 'cpp',
  cfg: 'ini',
  conf: 'nginx',
  cpp: 'cpp',
  cs: 'csharp',
  css: 'css',
  diff: 'diff',
  go: 'go',
  gql: 'graphql',
  graphql: 'graphql',
  h: 'c',
  hpp: 'cpp',
  htm: 'xml',
  html: 'xml',
  ini: 'ini',
  java: 'java',
  js: 'javascript',
  json: 'json',
  jsonl: 'json',
  jsx: 'javascript',
  kt: 'kotlin',
  less: 'less',
  lua: 'lua',
  mjs: 'javascript',
  mk: 'makefile',
  patch: 'diff',
  php: 'php',
  pl: 'perl',
  properties: 'ini',
  ps1: 'powershell',
  py: 'python',
  r: 'r',
  rb: 'ruby',
  rs: 'rust',
  scss: 'scss',
  sh: 'bash',
  sql: 'sql',
  svelte: 'xml',
  swift: 'swift',
  toml: 'ini',
  ts: 'typescript',
  tsx: 'typescript',
  vb: 'vbnet',
  vue: 'xml',
  xhtml: 'xml',
  xml: 'xml',
  yaml: 'yaml',
  yml: 'yaml',
  zsh: 'bash',
};

const BY_NAME: Record<string, string> = {
  dockerfile: 'dockerfile',
  makefile: 'makefile',
  gemfile: 'ruby',
  rakefile: 'ruby',
};

/** Languages by the type that the product found, where the name says none. */
const BY_MIME: [RegExp, string][] = [
  [/^(application|text)\/(\w+\+)?json$/, 'json'],
  [/^(application|text)\/([\w.]+\+)?xml$|^text\/html$/, 'xml'],
  [/javascript$/, 'javascript'],
  [/typescript$/, 'typescript'],
  [/\/(x-)?yaml$/, 'yaml'],
  [/\/(x-)?toml$/, 'ini'],
  [/\/(x-)?sql$/, 'sql'],
  [/\/css$/, 'css'],
  [/x-(sh|shellscript)$/, 'bash'],
  [/x-python$/, 'python'],
  [/x-rust$/, 'rust'],
  [/x-c$/, 'c'],
  [/x-c\+\+$/, 'cpp'],
  [/x-java$/, 'java'],
  [/x-go$/, 'go'],
  [/x-ruby$/, 'ruby'],
  [/x-perl$/, 'perl'],
  [/x-php$/, 'php'],
];

/** The programming language of a file; null for what is none, and for what the product did not find to be text. */
export function languageOf(file: Pick<File, 'name' | 'mimeType'>): string | null {
  const mime = file.mimeType ?? '';
  const byMime = BY_MIME.find(([pattern]) => pattern.test(mime))?.[1];
  if (!byMime && !mime.startsWith('text/')) return null;
  const name = file.name.toLowerCase();
  const dot = name.lastIndexOf('.');
  const byName = table(BY_NAME, name) ?? (dot >= 0 ? table(BY_ENDING, name.slice(dot + 1)) : undefined);
  return byName ?? byMime ?? null;
}

/** A name such as `constructor` is no key of a table. */
const table = (entries: Record<string, string>, key: string): string | undefined =>
  Object.hasOwn(entries, key) ? entries[key] : undefined;
