import Folder from '@lucide/svelte/icons/folder';
import Gauge from '@lucide/svelte/icons/gauge';
import ListTodo from '@lucide/svelte/icons/list-todo';
import Shield from '@lucide/svelte/icons/shield';
import Trash from '@lucide/svelte/icons/trash-2';
import type { User } from '$lib/api/types';
import type { PlainKey } from '$lib/i18n';
import { hrefs } from '$lib/state/router.svelte';

/** The places of the rail, in their order. */
const everybodys = [
  { at: 'files', href: hrefs.folder('root'), name: 'place.files', icon: Folder },
  { at: 'trash', href: hrefs.trash(), name: 'place.trash', icon: Trash },
  { at: 'jobs', href: hrefs.jobs(), name: 'place.jobs', icon: ListTodo },
] as const satisfies readonly { at: string; href: string; name: PlainKey; icon: unknown }[];

const administrators = [
  { at: 'admin', href: hrefs.admin(), name: 'place.admin', icon: Shield },
  { at: 'queue', href: hrefs.queue(), name: 'place.queue', icon: Gauge },
] as const satisfies readonly { at: string; href: string; name: PlainKey; icon: unknown }[];

/** The places that somebody may go to. */
export const placesOf = (user: User | null) =>
  user?.role === 'admin' ? [...everybodys, ...administrators] : everybodys;
