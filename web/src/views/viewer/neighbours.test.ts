import { expect, it } from 'vitest';
import type { File } from '$lib/api/types';
import { besides } from './neighbours';

const file = (id: string, type: File['type'] = 'file') => ({ id, type }) as File;

it('goes on from where a file stood that has left the list', () => {
  const items = [file('a'), file('folder', 'folder'), file('c'), undefined];
  expect(besides(items, 0)).toEqual({ previous: undefined, next: items[0] });
  expect(besides(items, 1)).toEqual({ previous: items[0], next: items[2] });
  expect(besides(items, 3)).toEqual({ previous: items[2], next: undefined });
  expect(besides(items, 4).next).toBeUndefined();
  expect(besides([], 0)).toEqual({ previous: undefined, next: undefined });
});
