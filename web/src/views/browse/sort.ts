import type { SortKey } from '$lib/api/files';
import { type PlainKey, t } from '$lib/i18n';
import { menu } from '$lib/state/menu.svelte';
import { type FolderView, folderViews } from '$lib/state/prefs.svelte';

const names: Record<SortKey, PlainKey> = {
  name: 'column.name',
  modifiedAt: 'column.modified',
  size: 'column.size',
  type: 'column.type',
};

export const sortName = (key: SortKey): string => t(names[key]);

/** The same column again turns the order round; times and sizes begin with the newest and largest. */
export function chooseSort(folder: string, view: FolderView, key: SortKey): void {
  const first = key === 'modifiedAt' || key === 'size' ? 'desc' : 'asc';
  const order = view.sort === key ? (view.order === 'asc' ? 'desc' : 'asc') : first;
  folderViews.change(folder, { sort: key, order });
}

export function openSortMenu(at: Element, folder: string, view: FolderView): void {
  menu.open(at, t('sort'), [
    { heading: t('sort') },
    ...(Object.keys(names) as SortKey[]).map((key) => ({
      label: sortName(key),
      checked: view.sort === key,
      run: () => view.sort !== key && chooseSort(folder, view, key),
    })),
    'line',
    { heading: t('sort.order') },
    { label: t('sort.asc'), checked: view.order === 'asc', run: () => folderViews.change(folder, { order: 'asc' }) },
    { label: t('sort.desc'), checked: view.order === 'desc', run: () => folderViews.change(folder, { order: 'desc' }) },
  ]);
}
