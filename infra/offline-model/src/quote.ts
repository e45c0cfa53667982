import type { Passage, Sentence } from './passages.ts'
import { sentencesOf } from './passages.ts'
import { contentStems, wordsOf } from './words.ts'

const MOST = 3
/** Share of the best sentence's score that a further quoted sentence must reach. */
const NEARLY = 0.7
/** Share of the question's total weight that the best sentence must reach. */
const ENOUGH = 0.25
const HEADING_SHARE = 0.5
/** Factor for a sentence that only repeats words of the question, as a title above the answer does. */
const ECHO = 0.5

/** Words of a question that say nothing about its subject. */
const ASKING = new Set(
  contentStems(
    'document documents file files text page pages summary summarise summarize explain describe say says said show find answer question know mean called quickly fast soon',
  ),
)

interface Scored {
  readonly sentence: Sentence
  readonly score: number
  /** The share of the score that comes from the sentence itself, not from its heading. */
  readonly own: number
}

/** The one to three sentences that match the question best, best first. Empty when none matches well enough. */
export function quotesFor(question: string, passages: readonly Passage[]): Sentence[] {
  const sentences = unique(passages.flatMap(sentencesOf))
  const asked = [...new Set(contentStems(question))].filter((word) => !ASKING.has(word))
  if (asked.length === 0) return sentences.slice(0, 1)

  const weights = weigh(asked, sentences)
  const total = [...weights.values()].reduce((sum, weight) => sum + weight, 0)
  const wantsNumber = /\bhow (?:many|much|long|often|old|far|big|large|fast|quick(?:ly)?|soon)\b|\bwhen\b/i.test(question)
  const scored = sentences.map((sentence) => scoreOf(sentence, weights, wantsNumber)).sort((a, b) => b.score - a.score)
  const best = scored[0]
  if (best === undefined || best.score < ENOUGH * total) return []
  return scored
    .filter(({ score, own }) => score >= NEARLY * best.score && (own > 0 || best.own === 0))
    .slice(0, MOST)
    .map(({ sentence }) => sentence)
}

/** Keeps the first of equal sentences, which overlapping passages contain. */
function unique(sentences: readonly Sentence[]): Sentence[] {
  const seen = new Map(sentences.toReversed().map((sentence) => [wordsOf(sentence.text).join(' '), sentence]))
  return sentences.filter((sentence) => seen.get(wordsOf(sentence.text).join(' ')) === sentence)
}

/** Weights of the question's words by inverse document frequency, where a document is a sentence with its heading. */
function weigh(asked: readonly string[], sentences: readonly Sentence[]): Map<string, number> {
  const bags = sentences.map(({ text, heading }) => [...new Set(contentStems(`${heading} ${text}`))])
  return new Map(
    asked.map((word) => {
      const having = bags.filter((bag) => bag.some((other) => alike(word, other) > 0)).length
      return [word, Math.log(1 + (sentences.length + 1) / (having + 1))]
    }),
  )
}

function scoreOf(sentence: Sentence, weights: ReadonlyMap<string, number>, wantsNumber: boolean): Scored {
  const body = contentStems(sentence.text)
  const heading = contentStems(sentence.heading)
  let own = 0
  let above = 0
  for (const [word, weight] of weights) {
    const inBody = closest(word, body)
    own += weight * inBody
    above += weight * Math.max(0, closest(word, heading) - inBody) * HEADING_SHARE
  }
  const saysMore = body.some((word) => closest(word, [...weights.keys()]) === 0)
  const factor = (wantsNumber && /\p{N}/u.test(sentence.text) ? 1.25 : 1) * (saysMore ? 1 : ECHO)
  // Of two equally good sentences the shorter one is quoted first.
  return { sentence, own, score: (own + above) * factor * (1 - Math.min(body.length, 60) / 600) }
}

const closest = (word: string, others: readonly string[]): number =>
  others.reduce((best, other) => Math.max(best, alike(word, other)), 0)

/** 1 for the same stem, 0.7 when one is the other with up to 3 more letters (`approv`, `approval`), else 0. */
function alike(a: string, b: string): number {
  if (a === b) return 1
  const [short, long] = a.length < b.length ? [a, b] : [b, a]
  return short.length >= 4 && long.length - short.length <= 3 && long.startsWith(short) && /^\p{L}+$/u.test(long) ? 0.7 : 0
}
