/** Grades of documents by query; above 0 is relevant. */
export type Judgements = ReadonlyMap<string, ReadonlyMap<string, number>>
/** Documents by query, best first. */
export type Run = ReadonlyMap<string, readonly string[]>

export interface Measures {
  readonly queries: number
  readonly ndcg10: number
  readonly map: number
  readonly p10: number
  readonly recall100: number
}

/** As trec_eval has them, means over the queries that have a relevant document; gain is the grade, discounted by log2(rank + 1). */
export function measure(run: Run, judgements: Judgements): Measures {
  const each = [...judgements].flatMap(([query, grades]) => {
    const relevant = [...grades.values()].filter((grade) => grade > 0)
    return relevant.length === 0 ? [] : [ofQuery(run.get(query) ?? [], grades, relevant)]
  })
  const mean = (key: Exclude<keyof Measures, 'queries'>) =>
    each.reduce((sum, measures) => sum + measures[key], 0) / Math.max(1, each.length)
  return { queries: each.length, ndcg10: mean('ndcg10'), map: mean('map'), p10: mean('p10'), recall100: mean('recall100') }
}

function ofQuery(found: readonly string[], grades: ReadonlyMap<string, number>, relevant: readonly number[]) {
  const gains = found.map((document) => Math.max(0, grades.get(document) ?? 0))
  const hits = (depth: number) => gains.slice(0, depth).filter((gain) => gain > 0).length
  const ideal = relevant.toSorted((a, b) => b - a)
  let precisions = 0
  gains.forEach((gain, index) => {
    if (gain > 0) precisions += hits(index + 1) / (index + 1)
  })
  return {
    ndcg10: discounted(gains) / discounted(ideal),
    map: precisions / relevant.length,
    p10: hits(10) / 10,
    recall100: hits(100) / relevant.length,
  }
}

const discounted = (gains: readonly number[]): number =>
  gains.slice(0, 10).reduce((sum, gain, index) => sum + gain / Math.log2(index + 2), 0)
