import type { Attachment } from 'svelte/attachments';
import { carriesFiles, drag, type Taken, wantsCopy } from '$lib/files/drag.svelte';
import { uploadDropped } from '$lib/upload/add.svelte';
import type { Target } from '$lib/upload/target';

export type { Taken };

/** Puts what was dragged within the page into a folder, by moving or copying it. */
export type Put = (taken: Taken, to: Target, copying: boolean) => void;

/** Makes an element take what is dropped on it into a folder: files from outside are uploaded, those of the page put there. */
export function dropInto(target: Target | null, put?: Put): Attachment<HTMLElement> {
  return (element) => {
    if (!target) return;
    const takes = (event: DragEvent) =>
      drag.inside ? put !== undefined && drag.accepts(target.id, wantsCopy(event)) : carriesFiles(event);
    const over = (event: DragEvent) => {
      if (!takes(event)) return;
      event.preventDefault();
      if (drag.inside && event.dataTransfer) event.dataTransfer.dropEffect = wantsCopy(event) ? 'copy' : 'move';
      drag.over = target.id;
    };
    const leave = (event: DragEvent) => {
      const inside = event.relatedTarget instanceof Node && element.contains(event.relatedTarget);
      if (!inside && drag.over === target.id) drag.over = null;
    };
    const drop = (event: DragEvent) => {
      if (!takes(event)) return;
      event.preventDefault();
      event.stopPropagation();
      if (drag.inside) {
        put?.(drag.take(), target, wantsCopy(event));
        return;
      }
      drag.end();
      if (event.dataTransfer) uploadDropped(event.dataTransfer, target);
    };
    element.addEventListener('dragover', over);
    element.addEventListener('dragleave', leave);
    element.addEventListener('drop', drop);
    return () => {
      element.removeEventListener('dragover', over);
      element.removeEventListener('dragleave', leave);
      element.removeEventListener('drop', drop);
    };
  };
}
