/** Shows the page, once its words are there. */
import { mount } from 'svelte'
import App from './App.svelte'
import { session } from './lib/session.svelte'
import { load } from './words'

export async function boot(): Promise<void> {
  const resumed = session.resume()
  await load()
  // The first script may have come before the end of the page.
  if (document.readyState === 'loading') await new Promise((resolve) => document.addEventListener('DOMContentLoaded', resolve, { once: true }))
  const target = document.getElementById('app')
  if (!target) throw new Error('the page has no #app')
  mount(App, { target })
  await resumed
}
