/** A count that an index keeps fits into a byte. */
const MAX_COUNT = 255

/** A term of the title or a heading counts as often. */
const HEADING_WEIGHT = 2

/** How often each term is in a chunk, and how many terms it has. Both texts are terms with spaces between them. */
export function countTerms(heading: string, body: string): { counts: ReadonlyMap<string, number>; length: number } {
  const counts = new Map<string, number>()
  let length = 0
  for (const [text, weight] of [
    [heading, HEADING_WEIGHT],
    [body, 1],
  ] as const) {
    for (const term of text.split(' ')) {
      if (term === '') continue
      counts.set(term, Math.min(MAX_COUNT, (counts.get(term) ?? 0) + weight))
      length += 1
    }
  }
  return { counts, length }
}
