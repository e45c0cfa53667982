import type { ModelError } from '@youworker/runtime/model-error'
import { cleanText } from '@youworker/runtime/text/text'
import type { ModelMessage } from './model-port.ts'

const MOST = 1_000
/** UTF-16 units in a row that, when they also stand in the conversation, are taken for a quotation of it. */
const QUOTED = 16
const REMOVED = '[…]'
const CREDENTIALS = [
  /(?<=:\/\/)[^\s/@]{1,200}@/g,
  /(?<=\bbearer )[^\s"',]+/gi,
  /(?<=\b(?:api[-_]?key|token|secret|password)["']?[:=] ?["']?)[^\s"',&]+/gi,
]

/** What the model server said about its failure: bounded, on one line, without credentials and without what the conversation says. */
export function ownWords({ said }: Pick<ModelError, 'said'>, conversation: readonly ModelMessage[]): string | undefined {
  if (said === undefined) return undefined
  const words = cleanText(said, { lines: 'join', max: MOST, mark: '…' })
  const safe = CREDENTIALS.reduce((text, credential) => text.replace(credential, REMOVED), words)
  return withoutQuotations(safe, conversation) || undefined
}

function withoutQuotations(words: string, conversation: readonly ModelMessage[]): string {
  const places = new Map<string, number[]>()
  for (let at = 0; at + QUOTED <= words.length; at += 1) {
    const piece = words.slice(at, at + QUOTED)
    places.set(piece, [...(places.get(piece) ?? []), at])
  }
  const quoted = new Set<number>()
  for (const { content } of places.size === 0 ? [] : conversation) {
    const text = cleanText(content, { lines: 'join' })
    for (let at = 0; at + QUOTED <= text.length; at += 1) {
      for (const place of places.get(text.slice(at, at + QUOTED)) ?? []) for (let i = 0; i < QUOTED; i += 1) quoted.add(place + i)
      places.delete(text.slice(at, at + QUOTED))
    }
  }
  return Array.from({ length: words.length }, (_, at) => (!quoted.has(at) ? words[at] : quoted.has(at - 1) ? '' : REMOVED)).join(
    '',
  )
}
