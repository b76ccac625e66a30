import Folder from '@lucide/svelte/icons/folder';
import ListTodo from '@lucide/svelte/icons/list-todo';
import Trash from '@lucide/svelte/icons/trash-2';
import type { Key } from '$lib/i18n';
import { hrefs } from '$lib/state/router.svelte';

/** The places of the rail, in their order. */
export const places = [
  { at: 'files', href: hrefs.folder('root'), name: 'place.files', icon: Folder },
  { at: 'trash', href: hrefs.trash(), name: 'place.trash', icon: Trash },
  { at: 'jobs', href: hrefs.jobs(), name: 'place.jobs', icon: ListTodo },
] as const satisfies readonly { at: string; href: string; name: Key; icon: unknown }[];
