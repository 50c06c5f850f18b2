import browser from './vitest.browser.config.ts'

export default { ...browser, test: { ...browser.test, include: ['tests/screenshots/**/*.test.ts'] } }
