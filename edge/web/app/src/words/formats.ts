const RTL = /[\p{Script=Hebrew}\p{Script=Arabic}\p{Script=Syriac}\p{Script=Thaana}\p{Script=Nko}]/u

/** What is filled in may be written in another direction than the sentence, whose parts it must not turn around. */
const isolate = (text: string): string => (RTL.test(text) || document.dir === 'rtl' ? `\u2068${text}\u2069` : text)

/** What messages are made with: numbers and plural forms of one language. */
export function formats(language: string) {
  const numbers = new Intl.NumberFormat(language)
  const forms = new Intl.PluralRules(language)
  type Options = Record<string, (() => string) | undefined>
  return {
    isolate,
    number: (value: number): string => numbers.format(value),
    plural: (value: number, options: Options): string =>
      (options[`=${value}`] ?? options[forms.select(value)] ?? options['other'])?.() ?? '',
    select: (value: string, options: Options): string => (options[value] ?? options['other'])?.() ?? '',
  }
}
