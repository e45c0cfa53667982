// What it tells languages by takes 70 MB, so it is loaded where files are read and nowhere else.
import { eld } from 'eld/extrasmall'
import { UNKNOWN } from './unknown-language.ts'

/** More of a text costs time and shows nothing new. In UTF-16 units. */
const SAMPLE = 800
/** Shorter texts, such as the rows of a small table, show too little to contradict the document around them. */
const ENOUGH = 40
/** How much better another language has to fit than that of the document. */
const MARGIN = 0.08

/** The language of a text by ISO 639-1, or `und`. `around` is that of the document that it is part of. */
export function languageOf(text: string, around: string = UNKNOWN): string {
  const found = eld.detect(text.slice(0, SAMPLE))
  if (found.language === '') return around
  if (around === UNKNOWN) return found.isReliable() ? found.language : UNKNOWN
  if (found.language === around || text.length < ENOUGH || !found.isReliable()) return around
  const scores = found.getScores()
  return (scores[found.language] ?? 0) - (scores[around] ?? 0) >= MARGIN ? found.language : around
}

/** The language of most of a document, by samples from its beginning, its middle and its end. */
export function documentLanguage(text: string): string {
  if (text.length <= SAMPLE) return languageOf(text)
  const middle = Math.max(0, Math.floor(text.length / 2) - SAMPLE / 2)
  const samples = [text.slice(0, SAMPLE), text.slice(middle, middle + SAMPLE), text.slice(-SAMPLE)].map((part) =>
    languageOf(part),
  )
  return samples.find((language, n) => language !== UNKNOWN && samples.lastIndexOf(language) > n) ?? samples[0] ?? UNKNOWN
}
