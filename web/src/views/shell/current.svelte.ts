import type { File } from '$lib/api/types';
import type { Listing } from '$lib/listing/listing.svelte';
import { hrefs, router } from '$lib/state/router.svelte';
import type { Target } from '$lib/upload/target';

/** The place that is shown, for what stands outside it: where uploads go, through what the viewer turns pages. */
class Current {
  target = $state.raw<Target>({ id: 'root', name: '' });
  listing = $state.raw<Listing | null>(null);
  /** The id of the file that the viewer shows, so that the list follows it. */
  seen = $state<string | null>(null);
  /** What is shown is somebody else's. */
  foreign = $derived(this.target.foreign === true);
  /** Moves files of this place to the trash; null where that cannot be. */
  trash = $state.raw<((files: File[]) => void) | null>(null);
  /** It is a folder into which what was cut or copied can be pasted. */
  takes = $state(false);

  /** Where one was before one looked for something, and the folder that it was. */
  beforeSearch = hrefs.folder('root');
  soughtFrom = $state.raw<Target | null>(null);

  leaveForSearch(): void {
    this.beforeSearch = location.pathname + location.search;
    const { target } = this;
    this.soughtFrom = target.id === 'root' || router.route.at !== 'files' ? null : target;
  }

  /** Somebody else is here now. */
  forget(): void {
    this.beforeSearch = hrefs.folder('root');
    this.soughtFrom = null;
  }

  /** Says what the place is, until the returned function is called. */
  enter(place: { target: Target; listing: Listing; trash?: (files: File[]) => void; takes?: boolean }): () => void {
    this.target = place.target;
    this.listing = place.listing;
    this.trash = place.trash ?? null;
    this.takes = place.takes ?? false;
    return () => {
      this.listing = null;
      this.trash = null;
      this.takes = false;
    };
  }
}

export const current = new Current();
