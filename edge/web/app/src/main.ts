/** The first script of the page. It imports nothing large, so that it runs while everything else is still on its way. */
import './styles/tokens.css'
import './styles/base.css'
import { ask } from './early'
import * as theme from './lib/theme'
import { chosen, LANGUAGES } from './words/choice'

theme.apply()
const isKnown = ask()
// All of it at once: nothing of it has to wait for the other. What fails is asked for again, and shown, by who needs it.
void LANGUAGES[chosen()]?.load().catch(() => undefined)
if (isKnown) void import('./chat/Chat.svelte').catch(() => undefined)
void import('./boot').then(({ boot }) => boot())
