// Draws the icons of an installed app from public/icon.svg, by Chromium: node app/tools/icons.js [PATH-TO-CHROMIUM].
// A maskable icon is cut to any shape, so its background goes to the edges and its drawing stays in the middle.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { chromium } from 'playwright-core'

const root = fileURLToPath(new URL('../public/', import.meta.url))
const svg = readFileSync(`${root}icon.svg`, 'utf8')
const full = svg.replace(' rx="16"', '')
const inset = full.replace(/(<rect [^>]*>)(.*)(<\/svg>)/s, '$1<g transform="translate(32 32) scale(.72) translate(-32 -32)">$2</g>$3')
const ICONS = { 'icon-192': [svg, 192], 'icon-512': [svg, 512], 'maskable-512': [inset, 512], 'apple-touch-icon': [full, 180] }

mkdirSync(`${root}icons`, { recursive: true })
const browser = await chromium.launch({ executablePath: process.argv[2] ?? '/usr/bin/chromium', args: ['--no-sandbox'] })
for (const [name, [drawing, size]] of Object.entries(ICONS)) {
  const page = await browser.newPage({ viewport: { width: size, height: size } })
  await page.setContent(`<style>body{margin:0}svg{display:block;width:100vw;height:100vh}</style>${drawing}`)
  writeFileSync(`${root}icons/${name}.png`, await page.screenshot({ omitBackground: true }))
}
await browser.close()
