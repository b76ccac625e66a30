import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { svelte } from '@sveltejs/vite-plugin-svelte';
import type { Plugin } from 'vite';
import { defineConfig } from 'vitest/config';

/** Where `npm run dev` finds the product whose API the page uses. */
const product = process.env.FM_WEB_PRODUCT ?? 'http://127.0.0.1:8080';

/** What the product sends with the page, so that `vite preview` shows whether the page keeps to it. */
const policy = [
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:",
  "font-src 'self'; connect-src 'self'; manifest-src 'self'; worker-src 'self'; frame-src 'self'; base-uri 'none'",
  "form-action 'self'; frame-ancestors 'none'",
].join('; ');

/**
 * What pdfjs-dist loads by names of its own while it runs: tables of characters, two fonts of signs, and the decoder of
 * JPEG 2000. They lie under the library's version, so that they may be kept for good like all that is built.
 */
function pdfData(): Plugin {
  const folder = dirname(createRequire(import.meta.url).resolve('pdfjs-dist/package.json'));
  const { version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { version: string };
  const files = [
    ...readdirSync(join(folder, 'cmaps'))
      .filter((name) => name.endsWith('.bcmap'))
      .map((name) => `cmaps/${name}`),
    'standard_fonts/FoxitDingbats.pfb',
    'standard_fonts/FoxitSymbol.pfb',
    'wasm/openjpeg_nowasm_fallback.js',
  ];
  return {
    name: 'pdf-data',
    generateBundle() {
      for (const name of files)
        this.emitFile({
          type: 'asset',
          fileName: `assets/pdfjs-${version}/${name}`,
          source: readFileSync(join(folder, name)),
        });
    },
  };
}

/**
 * What lets browsers install the page. Its addresses are relative to its own, so that it holds below a path of a host, too; it keeps its name
 * because browsers know an installed page by it.
 */
function webManifest(): Plugin {
  const name = 'app.webmanifest';
  const icons = [
    { file: 'icon-192.png', sizes: '192x192', purpose: 'any' },
    { file: 'icon-512.png', sizes: '512x512', purpose: 'any' },
    { file: 'icon-maskable.png', sizes: '512x512', purpose: 'maskable' },
  ];
  const refs = new Map<string, string>();
  return {
    name: 'web-manifest',
    apply: 'build',
    buildStart() {
      for (const { file } of icons)
        refs.set(
          file,
          this.emitFile({
            type: 'asset',
            name: file,
            source: readFileSync(new URL(`src/icons/${file}`, import.meta.url)),
          }),
        );
    },
    generateBundle() {
      const manifest = {
        name: 'Files Manager',
        short_name: 'Files',
        start_url: './app/files',
        scope: './',
        display: 'standalone',
        background_color: '#f3f4f8',
        theme_color: '#f3f4f8',
        icons: icons.map(({ file, sizes, purpose }) => ({
          src: `./${this.getFileName(refs.get(file) ?? '')}`,
          sizes,
          type: 'image/png',
          purpose,
        })),
      };
      this.emitFile({ type: 'asset', fileName: name, source: JSON.stringify(manifest) });
    },
    transformIndexHtml: {
      order: 'post',
      handler: () => [{ tag: 'link', attrs: { rel: 'manifest', href: `/${name}` }, injectTo: 'head' }],
    },
  };
}

const proxy = { '/api': product, '/health': product, '/status': product, '/stats': product };

export default defineConfig({
  // The one place that says under which path the page stands. See src/lib/base.ts for the run-time side.
  base: '/',
  plugins: [svelte(), pdfData(), webManifest()],
  worker: { format: 'es' },
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
    rolldownOptions: {
      output: {
        // What is wanted at once comes in one piece: many small ones weigh more, by their heads and because each is compressed alone.
        codeSplitting: {
          groups: [
            { name: 'first', tags: ['$initial'], priority: 2 },
            { name: 'sign-in', test: /views\/auth\/(Gate|SignIn|AuthCard|PasswordField)\.|ui\/Field\./, priority: 1 },
          ],
        },
      },
    },
  },
  experimental: {
    // Scripts and styles find one another relatively, so that only the few addresses in index.html depend on the path.
    renderBuiltUrl: (filename, { hostType }) => (hostType === 'html' ? `/${filename}` : { relative: true }),
  },
  server: { proxy },
  preview: { proxy, headers: { 'Content-Security-Policy': policy } },
  test: { include: ['src/**/*.test.ts'] },
});
