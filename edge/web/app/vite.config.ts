import { svelte } from '@sveltejs/vite-plugin-svelte'
import { defineConfig, type Plugin } from 'vite'

// `npx vite` serves the sources and passes calls and sockets on to a program that runs (`natter dev --demo`).
const program = process.env.NATTER ?? 'http://127.0.0.1:3000'

/** What every view needs is asked for with the page, beside its first script. */
const base: Plugin = {
  name: 'natter-base',
  transformIndexHtml: {
    order: 'post',
    handler: (_, { bundle = {} }) =>
      Object.keys(bundle).flatMap((file) => {
        if (!/\/(base|rolldown-runtime)-[^/]*\.(js|css)$/.test(file)) return []
        const attrs = { crossorigin: true, href: `/${file}` }
        return [{ tag: 'link', attrs: { rel: file.endsWith('.js') ? 'modulepreload' : 'stylesheet', ...attrs }, injectTo: 'head' as const }]
      }),
  },
}

export default defineConfig({
  plugins: [svelte(), base],
  build: {
    outDir: 'build',
    target: 'es2023',
    // The policy of the page allows no inline data.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    manifest: 'manifest.json',
    rolldownOptions: {
      input: { index: 'index.html', sw: 'src/worker/sw.ts' },
      output: {
        // The service worker's address is its identity; what it is made of must not change it.
        entryFileNames: ({ name }) => (name === 'sw' ? 'sw.js' : 'assets/[name]-[hash].js'),
        codeSplitting: {
          // What every view needs is one file: each file costs a connection its turn.
          groups: [
            { name: 'first', test: /src\/(main|early|lib\/theme|words\/choice)\.ts|preload-helper/, priority: 2 },
            { name: 'base', test: /node_modules\/(svelte|esm-env|clsx)\/|src\/(styles|boot|App|entry\/Missing|chat\/drafts|lib\/(?!markup|time)|words\/(index|formats)|ui\/(?!Dialog|Menu|menu))/, priority: 1 },
            { name: 'chat', test: /web\/client\/src\/|src\/chat\/(Chat|about|live|opening|search|PersonLine|blocked)/ },
          ],
        },
      },
    },
  },
  server: {
    proxy: { '/api': program, '/ws': { target: program, ws: true } },
  },
})
