// The script that a browser fetches, compressed, until a view is there; fails above the limits. Run after the build.
import { existsSync, readFileSync, statSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'

const build = fileURLToPath(new URL('../build/', import.meta.url))
const dist = fileURLToPath(new URL('../../dist/', import.meta.url))
const manifest = JSON.parse(readFileSync(`${build}manifest.json`, 'utf8'))

const KIB = 1024
/** The files of groups in vite.config.ts. */
const group = (name) => {
  const found = Object.keys(manifest).filter((key) => key.startsWith(`_${name}-`) && key.endsWith('.js'))
  if (found.length !== 1) throw new Error(`one file of the group ${name} was expected: ${found}`)
  return found[0]
}
const PAGE = [group('first'), group('base'), 'src/words/made/en.ts']
const VIEWS = [
  { name: 'log-in', most: 45 * KIB, parts: [...PAGE, 'src/entry/Entry.svelte'] },
  { name: 'the first room', most: 90 * KIB, parts: [...PAGE, group('chat')] },
]

/** A chunk with everything that it imports. */
const collect = (name, files = new Set()) => {
  const chunk = manifest[name]
  if (!chunk) throw new Error(`${name} is not in the build's manifest`)
  if (!files.has(chunk.file)) {
    files.add(chunk.file)
    for (const other of chunk.imports ?? []) collect(other, files)
  }
  return files
}

let isOver = false
for (const { name, most, parts } of VIEWS) {
  const files = new Set()
  for (const part of parts) collect(part, files)
  const bytes = [...files].reduce((sum, file) => sum + gzipSync(readFileSync(build + file), { level: 9 }).length, 0)
  const verdict = bytes > most ? 'too much' : 'ok'
  console.log(`script until ${name}: ${(bytes / KIB).toFixed(1)} KiB gzipped in ${files.size} files, at most ${most / KIB}: ${verdict}`)
  isOver ||= bytes > most
}
// What is fetched in the background, once the first room is there, so that the page opens without a connection.
const SHELL_MOST = 250 * KIB
const { files } = JSON.parse(/const SHELL=(\{.*?\});/.exec(readFileSync(`${dist}sw.js`, 'utf8'))[1])
const fetched = (file) => (existsSync(`${dist}${file}.gz`) ? statSync(`${dist}${file}.gz`) : statSync(dist + file)).size
const shell = ['/sw.js', '/index.html', ...files].reduce((sum, file) => sum + fetched(file), 0)
console.log(`kept by the service worker: ${(shell / KIB).toFixed(1)} KiB gzipped in ${files.length + 1} files, at most ${SHELL_MOST / KIB}: ${shell > SHELL_MOST ? 'too much' : 'ok'}`)
isOver ||= shell > SHELL_MOST
if (isOver) process.exitCode = 1
