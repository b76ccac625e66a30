import type { File } from '$lib/api/types';
import type { SelectionState } from '$lib/listing/selected.svelte';

/** All that was dragged; null if what was not loaded of it could not be read, which has been said. */
export type Taken = Promise<File[] | null>;

/** What is being dragged within the page. The browser keeps it from us until the drop, so it is kept here. */
class DragState {
  selection = $state.raw<SelectionState | null>(null);
  /** What is loaded of it. */
  files = $derived(this.selection?.files ?? []);
  /** Something from outside the page is held over it. */
  outside = $state(false);
  /** The folder under the pointer that would take it. */
  over = $state<string | null>(null);
  #quiet: ReturnType<typeof setTimeout> | null = null;

  get inside(): boolean {
    return this.selection !== null;
  }

  begin(event: DragEvent, selection: SelectionState): void {
    this.selection = selection;
    event.dataTransfer?.setData('text/plain', this.files.map((file) => file.name).join('\n'));
    if (event.dataTransfer) event.dataTransfer.effectAllowed = 'copyMove';
  }

  /** Called at every `dragover`: when these stop coming the drag is over, whatever event was lost. */
  alive(outside: boolean): void {
    this.outside = outside;
    if (this.#quiet !== null) clearTimeout(this.#quiet);
    if (outside) this.#quiet = setTimeout(() => this.end(), 700);
  }

  /** Ends it, and gives what was selected at this moment, also what is not loaded yet. */
  take(): Taken {
    const taken = this.selection?.resolve() ?? Promise.resolve(null);
    this.end();
    return taken;
  }

  end(): void {
    this.selection = null;
    this.outside = false;
    this.over = null;
  }

  /** True if what is dragged may be moved, or copied, into this folder. */
  accepts(folder: string, copying: boolean): boolean {
    return !this.files.some((file) => file.id === folder || (!copying && file.parentId === folder));
  }
}

export const drag = new DragState();

const MAC = /Mac|iPhone|iPad/.test(globalThis.navigator?.userAgent ?? '');

/** Held while dragging, it leaves what is dragged where it is and drops a copy. */
export const wantsCopy = (event: DragEvent): boolean => (MAC ? event.altKey : event.ctrlKey);

export const carriesFiles = (event: DragEvent): boolean => event.dataTransfer?.types.includes('Files') ?? false;
