/**
 * What is selected in a list of which perhaps only a part is loaded.
 *
 * `all` turns the meaning round: everything is selected but `ids`. So Ctrl-A over 100,000 entries loads none of them.
 */
export interface Selected {
  readonly all: boolean;
  readonly ids: ReadonlySet<string>;
  /** Where a range begins: the entry clicked or toggled last. */
  readonly anchor: string | null;
}

export const nothing: Selected = { all: false, ids: new Set(), anchor: null };

export const isSelected = (s: Selected, id: string): boolean => s.ids.has(id) !== s.all;

export const countOf = (s: Selected, total: number): number => (s.all ? Math.max(0, total - s.ids.size) : s.ids.size);

export const isEmpty = (s: Selected, total: number): boolean => countOf(s, total) === 0;

/** A plain click: this entry and no other. */
export const justOne = (id: string): Selected => ({ all: false, ids: new Set([id]), anchor: id });

/** Ctrl-click, Space, or a tick box. */
export function toggle(s: Selected, id: string): Selected {
  const ids = new Set(s.ids);
  if (!ids.delete(id)) ids.add(id);
  return { all: s.all, ids, anchor: id };
}

export const everything = (s: Selected): Selected => ({ all: true, ids: new Set(), anchor: s.anchor });

/**
 * Shift-click: the entries from the anchor to the one clicked, given by their ids in order. With `add`
 * (Ctrl-Shift) what was selected before stays. The anchor stays where it was, so that the range can be drawn again.
 */
export function range(s: Selected, ids: readonly string[], add: boolean): Selected {
  if (!add) return { all: false, ids: new Set(ids), anchor: s.anchor ?? ids[0] ?? null };
  const next = new Set(s.ids);
  for (const id of ids) {
    if (s.all) next.delete(id);
    else next.add(id);
  }
  return { all: s.all, ids: next, anchor: s.anchor ?? ids[0] ?? null };
}

/** Forgets entries that are gone. */
export function without(s: Selected, gone: Iterable<string>): Selected {
  const ids = new Set(s.ids);
  let changed = false;
  for (const id of gone) changed = ids.delete(id) || changed;
  const anchor = s.anchor !== null && [...gone].includes(s.anchor) ? null : s.anchor;
  return changed || anchor !== s.anchor ? { all: s.all, ids, anchor } : s;
}
