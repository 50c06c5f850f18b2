/** The first script of the page. It imports nothing large, so that it runs while everything else is still on its way. */
import { ask } from './early'
import * as theme from './lib/theme'
import { chosen, LANGUAGES } from './words/choice'

theme.apply()
const isKnown = ask()
// All at once: none waits for another. A failed import is repeated, and shown, by the view that needs it.
void LANGUAGES[chosen()]?.load().catch(() => undefined)
if (isKnown) void import('./chat/Chat.svelte').catch(() => undefined)
void import('./boot').then(({ boot }) => boot())
