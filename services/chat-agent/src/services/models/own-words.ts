import { cleanText } from '@youworker/runtime/text/text'

const MOST = 1_000
/** UTF-16 units in a row that, when they also stand in the conversation, are taken for a quotation of it. */
const QUOTED = 16
const REMOVED = '[…]'
/** Also a part of an image, in base64. */
const CREDENTIALS = [
  /[\w+/-]{160,}={0,2}/g,
  /(?<=:\/\/)[^\s/@]{1,200}@/g,
  /(?<=\bbearer )[^\s"',]+/gi,
  /(?<=\b(?:api[-_]?key|token|secret|password)["']?[:=] ?["']?)[^\s"',&]+/gi,
]

/** What another server said about its failure: bounded, on one line, without credentials and without what it repeats of the `texts`. */
export function ownWords(said: string | undefined, texts: readonly string[]): string | undefined {
  if (said === undefined) return undefined
  const words = cleanText(said, { lines: 'join', max: MOST, mark: '…' })
  const safe = CREDENTIALS.reduce((text, credential) => text.replace(credential, REMOVED), words)
  return withoutQuotations(safe, texts) || undefined
}

/** Every text in a JSON value. */
export const textsIn = (value: unknown): string[] => {
  if (typeof value === 'string') return [value]
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(textsIn) : []
}

function withoutQuotations(words: string, texts: readonly string[]): string {
  const places = new Map<string, number[]>()
  for (let at = 0; at + QUOTED <= words.length; at += 1) {
    const piece = words.slice(at, at + QUOTED)
    places.set(piece, [...(places.get(piece) ?? []), at])
  }
  const quoted = new Set<number>()
  for (const original of places.size === 0 ? [] : texts) {
    const text = cleanText(original, { lines: 'join' })
    for (let at = 0; at + QUOTED <= text.length; at += 1) {
      for (const place of places.get(text.slice(at, at + QUOTED)) ?? []) for (let i = 0; i < QUOTED; i += 1) quoted.add(place + i)
      places.delete(text.slice(at, at + QUOTED))
    }
  }
  return Array.from({ length: words.length }, (_, at) => (!quoted.has(at) ? words[at] : quoted.has(at - 1) ? '' : REMOVED)).join(
    '',
  )
}
