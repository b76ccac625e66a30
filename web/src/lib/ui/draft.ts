/** A field of a form, as far as it matters here. */
export interface Entered {
  readonly type: string;
  readonly name: string;
  readonly value: string;
  readonly checked?: boolean;
  readonly form: object | null;
  readonly dataset: DOMStringMap;
  readonly isConnected: boolean;
  matches(selectors: string): boolean;
}

/** Fields of what proves who somebody is: that is typed anew, and nobody thinks about it twice. */
const PROOFS: ReadonlySet<string> = new Set(['password', 'code']);

/** What stands outside of a form is done at once; a search is nothing that one keeps, nor is what says so of itself. */
const isDrafted = (field: Entered): boolean =>
  field.form !== null && field.type !== 'search' && !PROOFS.has(field.name) && field.dataset.draft !== 'no';

const isTick = (field: Entered): boolean => field.type === 'checkbox' || field.type === 'radio';

const read = (field: Entered): string | boolean => (isTick(field) ? field.checked === true : field.value);

/** What somebody has typed into forms, and not sent. */
export class Draft {
  /** Fields as they were before somebody came to them. */
  #before = new Map<Entered, string | boolean>();

  /** Somebody comes to a field. */
  reach(field: Entered): void {
    if (isDrafted(field) && !this.#before.has(field)) this.#before.set(field, read(field));
  }

  /** A field has changed. */
  change(field: Entered): void {
    // Some browsers tick without a focus; whatever else changes without one was filled in by the browser itself.
    if (isDrafted(field) && !this.#before.has(field))
      this.#before.set(field, isTick(field) ? !field.checked : field.value);
  }

  /** Something would be lost with what is shown now. */
  get holds(): boolean {
    return [...this.#before].some(
      // The browser also fills in the field that has the focus, and does so again.
      ([field, before]) => field.isConnected && !field.matches(':autofill') && read(field) !== before,
    );
  }
}
