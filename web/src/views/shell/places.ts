import Bell from '@lucide/svelte/icons/bell';
import Clock from '@lucide/svelte/icons/clock';
import Folder from '@lucide/svelte/icons/folder';
import Gauge from '@lucide/svelte/icons/gauge';
import KeyRound from '@lucide/svelte/icons/key-round';
import ListTodo from '@lucide/svelte/icons/list-todo';
import Share2 from '@lucide/svelte/icons/share-2';
import Shield from '@lucide/svelte/icons/shield';
import Star from '@lucide/svelte/icons/star';
import Tags from '@lucide/svelte/icons/tags';
import Trash from '@lucide/svelte/icons/trash-2';
import Users from '@lucide/svelte/icons/users';
import type { Component } from 'svelte';
import type { User } from '$lib/api/types';
import type { PlainKey } from '$lib/i18n';
import { hrefs, type Route, type SharedPart } from '$lib/state/router.svelte';

export interface Place {
  at: Route['at'];
  part?: SharedPart;
  href: string;
  name: PlainKey;
  icon: Component<{ size?: number | string }>;
  /** Its name in the bar of a phone, which has room for a few; the others are in a menu at its end. */
  brief?: PlainKey;
}

/** The places of the rail, in their order. */
const everybodys: readonly Place[] = [
  { at: 'files', href: hrefs.folder('root'), name: 'place.files', icon: Folder, brief: 'place.files' },
  { at: 'recents', href: hrefs.recents(), name: 'place.recents', icon: Clock, brief: 'place.recents' },
  { at: 'starred', href: hrefs.starred(), name: 'place.starred', icon: Star, brief: 'place.starred' },
  { at: 'tags', href: hrefs.tags(), name: 'place.tags', icon: Tags },
  {
    at: 'shared',
    part: 'with-me',
    href: hrefs.shared(),
    name: 'place.withMe',
    icon: Users,
    brief: 'place.shared',
  },
  { at: 'shared', part: 'by-me', href: hrefs.shared('by-me'), name: 'place.byMe', icon: Share2 },
  { at: 'shared', part: 'access', href: hrefs.shared('access'), name: 'place.access', icon: KeyRound },
  { at: 'trash', href: hrefs.trash(), name: 'place.trash', icon: Trash },
  { at: 'jobs', href: hrefs.jobs(), name: 'place.jobs', icon: ListTodo },
  { at: 'notices', href: hrefs.notices(), name: 'place.notices', icon: Bell },
];

const administrators: readonly Place[] = [
  { at: 'admin', href: hrefs.admin(), name: 'place.admin', icon: Shield },
  { at: 'queue', href: hrefs.queue(), name: 'place.queue', icon: Gauge },
];

/** The places that somebody may go to. */
export const placesOf = (user: User | null): readonly Place[] =>
  user?.role === 'admin' ? [...everybodys, ...administrators] : everybodys;

/** Whether one is at a place; what others shared is theirs, though it is looked at like one's own files. */
export function isAt({ at, part }: Place, route: Route, foreign: boolean): boolean {
  if (route.at === 'files' && foreign) return part === 'with-me';
  return route.at === at && (part === undefined || (route.at === 'shared' && route.part === part));
}
