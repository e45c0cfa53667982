/** Maximal marginal relevance (Carbonell and Goldstein, SIGIR 1998) among more than this many hits would cost more than it shows. */
const MAX_COMPARED = 200

/** Orders hits so that those that repeat one above them come later. `diversity` from 0, as they are, to 1. */
export function diversified<T>(
  hits: readonly T[],
  { diversity, scoreOf, wordsOf }: { diversity: number; scoreOf: (hit: T) => number; wordsOf: (hit: T) => ReadonlySet<string> },
): T[] {
  if (diversity === 0) return [...hits]
  const left = hits.slice(0, MAX_COMPARED).map((hit) => ({ hit, score: scoreOf(hit), words: wordsOf(hit), repeats: 0 }))
  const taken: T[] = []
  while (left.length > 0) {
    let best = 0
    left.forEach((each, n) => {
      if (worthOf(each, diversity) > worthOf(left[best] ?? each, diversity)) best = n
    })
    const [next] = left.splice(best, 1)
    if (!next) break
    taken.push(next.hit)
    for (const each of left) each.repeats = Math.max(each.repeats, sharedPart(each.words, next.words))
  }
  return [...taken, ...hits.slice(MAX_COMPARED)]
}

const worthOf = ({ score, repeats }: { score: number; repeats: number }, diversity: number): number =>
  (1 - diversity) * score - diversity * repeats

/** Jaccard's coefficient. */
function sharedPart(a: ReadonlySet<string>, b: ReadonlySet<string>): number {
  let both = 0
  for (const word of a) if (b.has(word)) both += 1
  return both === 0 ? 0 : both / (a.size + b.size - both)
}
