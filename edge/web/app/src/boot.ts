/** Shows the page when its words are loaded. */
import './styles/tokens.css'
import './styles/base.css'
import { mount } from 'svelte'
import App from './App.svelte'
import { session } from './lib/session.svelte'
import { load } from './words'

export async function boot(): Promise<void> {
  const resumed = session.resume()
  await load()
  // An async script may run before the page is parsed.
  if (document.readyState === 'loading') await new Promise((resolve) => document.addEventListener('DOMContentLoaded', resolve, { once: true }))
  const target = document.getElementById('app')
  if (!target) throw new Error('the page has no #app')
  mount(App, { target })
  await resumed
}
