const NAMES = new Intl.DisplayNames('en', { type: 'language' })

const baseOf = (language: string) => `You are YouWorker, an assistant that answers from the user's own documents and tools.
Answer in ${language}, plainly and to the point.`

/** In words, for a prompt. */
export const languageName = (language: string | undefined): string =>
  language === undefined ? 'the language of the question' : (NAMES.of(language) ?? language)

/** `language`: the tag of the answer's; by default that of the question. */
export const systemPrompt = (language?: string): string => baseOf(languageName(language))
