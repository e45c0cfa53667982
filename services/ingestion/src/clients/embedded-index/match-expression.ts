import type { QueryTerm } from '../../analysis/query.ts'

/** The terms in the language of FTS5 (sqlite.org/fts5.html, section 3); `undefined` when none of them is asked for. */
export function matchExpression(terms: readonly QueryTerm[]): string | undefined {
  const must = terms.filter(({ use }) => use === 'must').map(anyForm)
  const should = terms.filter(({ use }) => use === 'should').map(anyForm)
  const not = terms.filter(({ use }) => use === 'not').map(anyForm)
  if (must.length + should.length === 0) return undefined
  const wanted = [...must, ...(should.length > 0 ? [`(${[...must, ...should].join(' OR ')})`] : [])].join(' AND ')
  return not.length === 0 ? wanted : `(${wanted}) NOT (${not.join(' OR ')})`
}

const anyForm = ({ forms }: QueryTerm): string => `(${forms.map((form) => `"${form.replaceAll('"', '""')}"`).join(' OR ')})`
