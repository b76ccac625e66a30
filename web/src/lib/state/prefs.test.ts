import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';

let prefs: typeof import('./prefs.svelte');

/** As much of an element as is asked for. */
class Place {
  constructor(readonly typed: boolean) {}
  matches = () => this.typed;
}

beforeAll(async () => {
  vi.stubGlobal('Element', Place);
  prefs = await import('./prefs.svelte');
});
afterEach(() => prefs.choices.setSingleKeys(true));

const press = (key: string, more: object = {}) =>
  prefs.singleKey({ key, ctrlKey: false, metaKey: false, altKey: false, target: new Place(false), ...more } as never);

describe('singleKey', () => {
  it('knows letters and signs, whatever their case', () => {
    expect(['i', 'I', '+', '-', '0', '*'].map((key) => press(key))).toEqual(['i', 'i', '+', '-', '0', '*']);
  });

  it('leaves keys with names, and what comes with another key, to others', () => {
    expect(['Escape', 'Delete', 'F2', 'ArrowUp'].map((key) => press(key))).toEqual(['', '', '', '']);
    expect([press('i', { ctrlKey: true }), press('i', { metaKey: true }), press('i', { altKey: true })]).toEqual([
      '',
      '',
      '',
    ]);
  });

  it('is none where somebody types', () => {
    expect(press('0', { target: new Place(true) })).toBe('');
  });

  it('is none where such shortcuts are turned off', () => {
    prefs.choices.setSingleKeys(false);
    expect(['i', 'd', '+', '-', '0'].map((key) => press(key))).toEqual(['', '', '', '', '']);
  });
});

describe('no view', () => {
  const sources = import.meta.glob(['/src/**/*.svelte', '/src/**/*.ts', '!/src/**/*.test.ts'], {
    query: '?raw',
    import: 'default',
    eager: true,
  }) as Record<string, string>;
  /** Where a character is no shortcut, with the reason. */
  const others: Record<string, string> = {
    '/src/views/browse/keys.ts a': 'with Ctrl',
    '/src/views/browse/keys.ts  ': 'the space bar selects, as in every list',
    '/src/views/browse/TagField.svelte ,': 'ends a tag that is typed',
    '/src/views/shell/Shell.svelte z': 'with Ctrl',
    '/src/views/shell/Shell.svelte /':
      'asks for the choice itself, since it stands on a key with others in some layouts',
    '/src/views/shell/Shell.svelte ?': 'the same',
    '/src/views/sharing/ShareDialog.svelte z': 'with Ctrl',
    '/src/views/viewer/Viewer.svelte  ': 'the space bar is no letter',
    '/src/lib/ui/MenuHost.svelte  ': 'the space bar presses what has the focus',
  };

  it('has a shortcut of a single character that cannot be turned off', () => {
    const found = Object.entries(sources).flatMap(([file, text]) =>
      [...text.matchAll(/\.key(?:\.toLowerCase\(\))? [!=]== '(.)'/g)].map(([, sign]) => `${file} ${sign}`),
    );
    expect(new Set(found)).toEqual(new Set(Object.keys(others)));
  });
});
