import { explain } from '$lib/api/explain';
import type { ApiError } from '$lib/api/problem';
import { wrongOf } from './body';

type Said<F extends string> = Partial<Record<F, string>>;

/** What is wrong with the fields of a form: what the form finds itself, and then what the server says of what was sent. */
export class Wrongs<F extends string> {
  /** What each field says. */
  fields = $state<Said<F>>({});
  /** What no field says. */
  failure = $state('');
  #error = $state.raw<ApiError | null>(null);
  #names: readonly F[];
  #byCode: Readonly<Record<string, Said<F>>>;

  /** `names` are the fields as the API calls them; `byCode` says what answers without a field mean for one. */
  constructor(names: readonly F[], byCode: Readonly<Record<string, Said<F>>> = {}) {
    this.#names = names;
    this.#byCode = byCode;
  }

  get error(): ApiError | null {
    return this.#error;
  }

  set error(error: ApiError | null) {
    this.#error = error;
    this.failure = '';
    if (!error) return;
    this.fields = { ...(this.#byCode[error.code] ?? wrongOf(error, this.#names)) };
    if (Object.keys(this.fields).length === 0) this.failure = explain(error);
  }

  /** Somebody types into a field: what was said of it holds no more. */
  mended = (name: F) => () => {
    this.failure = '';
    delete this.fields[name];
  };
}
