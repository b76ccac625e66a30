import type { Attachment } from 'svelte/attachments';
import type { File } from '$lib/api/types';
import { carriesFiles, drag, wantsCopy } from '$lib/files/drag.svelte';
import { upload } from '$lib/upload/add.svelte';
import { fromTransfer } from '$lib/upload/entries';
import type { Target } from '$lib/upload/target';

/** Puts files of the page into a folder, by moving or copying them. */
export type Put = (files: File[], to: Target, copying: boolean) => void;

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
      const files = drag.files;
      const harvest = drag.inside || !event.dataTransfer ? null : fromTransfer(event.dataTransfer);
      drag.end();
      if (harvest) upload(harvest, target);
      else put?.(files, target, wantsCopy(event));
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
