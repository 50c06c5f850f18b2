// Puts the build where the edge embeds it from, every file with its compressed forms beside it. The same sources give
// the same bytes: names and contents depend on nothing else.
import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'

const from = fileURLToPath(new URL('../build', import.meta.url))
const to = fileURLToPath(new URL('../../dist', import.meta.url))

// What the page is compared with to know whether the server has another one: every file by name and content.
const names = readdirSync(from, { recursive: true, encoding: 'utf8' }).sort().filter((name) => name !== 'manifest.json' && /\.\w+$/.test(name))
const all = createHash('sha256')
for (const name of names) all.update(name).update('\0').update(readFileSync(`${from}/${name}`))
const build = all.digest('hex').slice(0, 16)
const CHANGED = { 'index.html': page, 'sw.js': worker }
const META = '<meta name="natter-build" content="'

mkdirSync(to, { recursive: true })
for (const name of readdirSync(to)) if (name !== '.gitignore') rmSync(`${to}/${name}`, { recursive: true })

const COMPRESSED = /\.(html|js|css|svg|json|webmanifest|txt)$/
for (const name of names) {
  const bytes = CHANGED[name]?.() ?? readFileSync(`${from}/${name}`)
  const target = `${to}/${name}`
  mkdirSync(dirname(target), { recursive: true })
  writeFileSync(target, bytes)
  if (!COMPRESSED.test(name)) continue
  const params = { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length }
  const forms = { br: brotliCompressSync(bytes, { params }), gz: gzipSync(bytes, { level: 9 }) }
  for (const [suffix, form] of Object.entries(forms)) if (form.length < bytes.length) writeFileSync(`${target}.${suffix}`, form)
}

function page() {
  const text = readFileSync(`${from}/index.html`, 'utf8')
  if (!text.includes(META)) throw new Error('index.html has no place for the build')
  return Buffer.from(text.replace(META, META + build))
}

/** The service worker keeps what a page can need: not itself, nor words that only tests show. */
function worker() {
  const kept = names.filter((name) => name !== 'index.html' && name !== 'sw.js' && !name.startsWith('assets/pseudo-')).map((name) => `/${name}`)
  return Buffer.from(`const SHELL=${JSON.stringify({ build, files: kept })};${readFileSync(`${from}/sw.js`, 'utf8')}`)
}
