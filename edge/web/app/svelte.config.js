/** Styles are files: the policy of the page allows none in the markup. */
export default {
  compilerOptions: { runes: true, css: 'external' },
}
