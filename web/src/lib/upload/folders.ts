import { createPath } from '$lib/api/files';
import { folderChanged } from '$lib/listing/listing.svelte';

/** The folders that uploads lie in, each made once, however many files go into it. */
export class Folders {
  #made = new Map<string, Promise<string>>();
  /** The folder above each that was made: there it stands with the number of what it holds. */
  #above = new Map<string, string>();

  /** The id of a folder below `parent`; each folder above it first, so that its list is known to change. */
  make(parent: string, path: string): Promise<string> {
    const key = `${parent} ${path}`;
    let folder = this.#made.get(key);
    if (!folder) {
      const slash = path.lastIndexOf('/');
      const above = slash < 0 ? Promise.resolve(parent) : this.make(parent, path.slice(0, slash));
      folder = above.then(async (into) => {
        const made = await createPath(into, path.slice(slash + 1));
        this.#above.set(made.id, into);
        folderChanged(into);
        return made.id;
      });
      folder.catch(() => this.#made.delete(key));
      this.#made.set(key, folder);
    }
    return folder;
  }

  above(folder: string): string | null {
    return this.#above.get(folder) ?? null;
  }

  clear(): void {
    this.#made.clear();
    this.#above.clear();
  }
}
