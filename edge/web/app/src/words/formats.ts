/** What messages are made with: numbers and plural forms of one language. */
export function formats(language: string) {
  const numbers = new Intl.NumberFormat(language)
  const forms = new Intl.PluralRules(language)
  type Options = Record<string, (() => string) | undefined>
  return {
    number: (value: number): string => numbers.format(value),
    plural: (value: number, options: Options): string =>
      (options[`=${value}`] ?? options[forms.select(value)] ?? options['other'])?.() ?? '',
    select: (value: string, options: Options): string => (options[value] ?? options['other'])?.() ?? '',
  }
}
