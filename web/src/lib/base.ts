/**
 * The path under which the page stands, without a slash at its end: `''` at the root of an origin.
 *
 * A built script lies in `<base>/assets/`, so its own address tells the base; whoever serves the page under a
 * prefix only has to rewrite the addresses in index.html. The development server says it by Vite's setting.
 */
export const BASE: string = (
  import.meta.env.PROD ? new URL(/* @vite-ignore */ '..', import.meta.url).pathname : import.meta.env.BASE_URL
).replace(/\/+$/, '');
