/** The name that differs least from `name`; `undefined` when all differ in more than a third of its letters. */
export function nearest(name: string, names: Iterable<string>): string | undefined {
  const wanted = plain(name)
  let best: string | undefined
  let least = Math.max(2, Math.ceil(wanted.length / 3)) + 1
  if (wanted.length < 4) least = 2
  for (const candidate of names) {
    const distance = editDistance(wanted, plain(candidate))
    if (distance >= least) continue
    best = candidate
    least = distance
  }
  return best
}

const plain = (name: string): string => name.toUpperCase().replaceAll(/_+/g, '_')

/** Levenshtein's: how many letters to insert, delete or replace. */
function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index)
  for (let i = 0; i < from.length; i++) {
    const next = [i + 1]
    for (let j = 1; j <= to.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (from[i] === to[j - 1] ? 0 : 1)
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[to.length] ?? 0
}
