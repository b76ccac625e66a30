import type { File } from '$lib/api/types';

/** A name that is being written. A list that moves makes its field anew in another cell: what was typed stands here. */
export class Renaming {
  name = $state('');
  /** Why the name was refused. */
  error = $state('');
  /** The focus is in the field. */
  writing = $state(false);
  /** Its field, while there is one. */
  field: HTMLInputElement | null = null;
  /** What is marked in the field; null before it was there. */
  marked: [number, number] | null = null;
  /** The reader has gone elsewhere, and is not brought back. */
  left = false;
  /** The name that was refused for good. */
  refused = '';
  /** It is being saved. */
  busy = false;
  /** Saved, or given up. */
  over = false;

  /** `file` as it was when the field was opened: a name that arrives while somebody types is not the one before. */
  constructor(readonly file: File) {
    this.name = file.name;
  }
}
