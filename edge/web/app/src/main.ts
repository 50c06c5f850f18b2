import { mount } from 'svelte'
import './styles/tokens.css'
import './styles/base.css'
import App from './App.svelte'
import { session } from './lib/session.svelte'
import * as theme from './lib/theme'
import { load } from './words'

theme.apply()
const target = document.getElementById('app')
if (!target) throw new Error('the page has no #app')
// The session is asked for while the words are loading.
const resumed = session.resume()
// So is what will be shown: nothing of it has to wait for the other.
if (session.phase === 'in') void import('./chat/Chat.svelte').catch(() => undefined)
await load()
mount(App, { target })
await resumed
