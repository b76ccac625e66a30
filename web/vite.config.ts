import { fileURLToPath } from 'node:url';
import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vitest/config';

/** Where `npm run dev` finds the product whose API the page uses. */
const product = process.env.FM_WEB_PRODUCT ?? 'http://127.0.0.1:8080';

export default defineConfig({
  // The one place that says under which path the page stands. See src/lib/base.ts for the run-time side.
  base: '/',
  plugins: [svelte()],
  resolve: {
    alias: {
      $lib: fileURLToPath(new URL('./src/lib', import.meta.url)),
      $views: fileURLToPath(new URL('./src/views', import.meta.url)),
    },
  },
  build: {
    target: ['chrome123', 'firefox121', 'safari17.5'],
    // A data: URI would need the content security policy to allow it.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
  experimental: {
    // Scripts and styles find one another relatively, so that only the few addresses in index.html depend on the path.
    renderBuiltUrl: (filename, { hostType }) => (hostType === 'html' ? `/${filename}` : { relative: true }),
  },
  server: { proxy: { '/api': product, '/health': product } },
  test: { include: ['src/**/*.test.ts'] },
});
