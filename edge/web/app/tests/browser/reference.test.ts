import { expect, test } from 'vitest'
import { profile, stage } from './harness'

const { program, browser } = await stage()

test('the API reference shows every call, and loads from here alone', async () => {
  const page = await (await profile(browser)).newPage()
  const hosts = new Set<string>()
  page.on('request', (request) => hosts.add(new URL(request.url()).host))
  await page.goto(`${program.url}/api/docs`)
  const document = (await (await fetch(`${program.url}/api/openapi.json`)).json()) as { paths: Record<string, Record<string, unknown>> }
  const methods = ['get', 'post', 'put', 'patch', 'delete']
  const calls = Object.entries(document.paths).flatMap(([path, item]) => methods.filter((method) => method in item).map((method) => `${method.toUpperCase()} ${path}`))
  expect(calls.length).toBeGreaterThan(30)
  await page.getByText('/api/auth/login').first().waitFor()
  const text = (await page.locator('body').innerText()).replace(/\s+/g, ' ')
  expect(calls.filter((call) => !text.toLowerCase().includes(call.toLowerCase()))).toEqual([])
  expect([...hosts]).toEqual([new URL(program.url).host])
})
