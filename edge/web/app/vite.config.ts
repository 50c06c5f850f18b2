import { svelte } from '@sveltejs/vite-plugin-svelte'
import { defineConfig } from 'vite'

// `npx vite` serves the sources and passes calls and sockets on to a program that runs (`natter dev --demo`).
const program = process.env.NATTER ?? 'http://127.0.0.1:3000'

export default defineConfig({
  plugins: [svelte()],
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
            { name: 'base', test: /node_modules\/(svelte|esm-env|clsx)\/|src\/(lib\/(?!markup|time)|words\/(index|formats)|ui\/(?!Dialog|Menu|menu))/ },
          ],
        },
      },
    },
  },
  server: {
    proxy: { '/api': program, '/ws': { target: program, ws: true } },
  },
})
