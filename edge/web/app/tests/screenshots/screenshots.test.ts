/** Pictures of the client, by scripts/screenshots: those of the README, and with EVERY_VIEW all of the tour. */
import { mkdirSync } from 'node:fs'
import type { Page } from 'playwright-core'
import { test } from 'vitest'
import { enter, open, profile, stage } from '../browser/harness'
import { settled, tour } from '../browser/tour'
import { populate } from './world'

const folder = process.env['SCREENSHOTS'] ?? ''
mkdirSync(folder, { recursive: true })
const { program, browser } = await stage()
await populate(program.url)

async function picture(page: Page, name: string): Promise<void> {
  await settled(page)
  await page.screenshot({ path: `${folder}/${name}.png` })
}

const LOOKS = [
  { name: 'light', options: { colorScheme: 'light', viewport: { width: 1180, height: 760 } } },
  { name: 'dark', options: { colorScheme: 'dark', viewport: { width: 1180, height: 760 } } },
  { name: 'small', options: { colorScheme: 'light', viewport: { width: 360, height: 720 } } },
] as const

for (const { name, options } of LOOKS) {
  test(`a room: ${name}`, async () => {
    const page = await enter(await profile(browser, options), program.url, 'Alice')
    await open(page, 'Weekend at the coast')
    await page.getByText('Leaving at 15:00 sharp, then?').last().waitFor()
    await picture(page, `room-${name}`)
  })
}

if (process.env['EVERY_VIEW']) {
  for (const { name, options } of [...LOOKS, { name: 'small-dark', options: { colorScheme: 'dark', viewport: { width: 320, height: 640 } } }] as const) {
    test(`every view: ${name}`, async () => {
      const page = await (await profile(browser, { ...options, allowed: /404|409|422/ })).newPage()
      for await (const view of tour(page, program.url)) await picture(page, `view-${view.replaceAll(/\W+/g, '-')}-${name}`)
    })
  }
}
