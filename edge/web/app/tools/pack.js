// Puts the build where the edge embeds it from, every file with its compressed forms beside it. The same sources give
// the same bytes: names and contents depend on nothing else.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'

const from = fileURLToPath(new URL('../build', import.meta.url))
const to = fileURLToPath(new URL('../../dist', import.meta.url))

mkdirSync(to, { recursive: true })
for (const name of readdirSync(to)) if (name !== '.gitignore') rmSync(`${to}/${name}`, { recursive: true })

const COMPRESSED = /\.(html|js|css|svg|json|webmanifest|txt)$/
for (const name of readdirSync(from, { recursive: true, encoding: 'utf8' }).sort()) {
  if (name === 'manifest.json' || !/\.\w+$/.test(name)) continue
  const bytes = readFileSync(`${from}/${name}`)
  const target = `${to}/${name}`
  mkdirSync(dirname(target), { recursive: true })
  writeFileSync(target, bytes)
  if (!COMPRESSED.test(name)) continue
  const params = { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length }
  const forms = { br: brotliCompressSync(bytes, { params }), gz: gzipSync(bytes, { level: 9 }) }
  for (const [suffix, form] of Object.entries(forms)) if (form.length < bytes.length) writeFileSync(`${target}.${suffix}`, form)
}
