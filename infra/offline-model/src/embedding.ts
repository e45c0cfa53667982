import { isStopWord, stem, wordsOf } from './words.ts'

export const DIMENSIONS = 384

/** Characters of one input that are embedded. A chunk is far shorter. */
const LONGEST = 65_536
const WEIGHT = { stopWord: 0.1, pair: 0.3, grams: 0.5 } as const

/**
 * Feature hashing (Weinberger et al. 2009) of word stems, neighbouring stems and the character 3- and 4-grams of words,
 * with signs from the hash and sublinear counts; L2-normalised. The same text has the same vector on every machine.
 */
export function embed(text: string): number[] {
  const vector = new Float64Array(DIMENSIONS)
  for (const [feature, weight] of featuresOf(text.slice(0, LONGEST))) {
    const hash = fnv1a(feature)
    const index = hash % DIMENSIONS
    vector[index] = (vector[index] ?? 0) + ((hash >>> 20) & 1 ? weight : -weight)
  }
  const length = Math.hypot(...vector)
  if (length === 0) vector[0] = 1
  return Array.from(vector, (value) => Math.round((value / (length || 1)) * 1e6) / 1e6)
}

function featuresOf(text: string): Map<string, number> {
  const counts = new Map<string, number>()
  const words = wordsOf(text)
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1)

  const features = new Map<string, number>()
  const add = (feature: string, weight: number) => features.set(feature, (features.get(feature) ?? 0) + weight)
  for (const [word, count] of counts) {
    const weight = (1 + Math.log(count)) * (isStopWord(word) ? WEIGHT.stopWord : 0.6 + Math.min(word.length, 10) / 15)
    add(`w ${stem(word)}`, weight)
    if (isStopWord(word)) continue
    const grams = gramsOf(word)
    for (const gram of grams) add(`g ${gram}`, (weight * WEIGHT.grams) / Math.sqrt(grams.length))
  }
  let before: string | undefined
  for (const word of words) {
    if (isStopWord(word)) continue
    const root = stem(word)
    if (before !== undefined) add(`p ${before} ${root}`, WEIGHT.pair)
    before = root
  }
  return features
}

/** 3- and 4-grams with the word's edges marked, so that `nonprofit` and `profitable` share some and `pro` is not all of them. */
function gramsOf(word: string): string[] {
  const marked = Array.from(`<${word}>`)
  return [3, 4].flatMap((size) =>
    Array.from({ length: Math.max(0, marked.length - size + 1) }, (_, start) => marked.slice(start, start + size).join('')),
  )
}

/** FNV-1a, 32 bits, over UTF-16 units, then mixed as in murmur3 so that low bits are usable on their own. */
function fnv1a(text: string): number {
  let hash = 0x811c9dc5
  for (let index = 0; index < text.length; index += 1) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}
