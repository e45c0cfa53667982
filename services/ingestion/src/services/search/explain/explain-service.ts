import type { Explanation, ExplainQuery, Verdict } from '@youworker/contracts/documents/explain'
import { EXAMPLES } from '@youworker/contracts/documents/search'
import { AppError } from '@youworker/contracts/errors'
import { ingestion } from '@youworker/contracts/ingestion'
import { recordAudit } from '@youworker/database/events/record-audit'
import type { DocumentRow } from '@youworker/database/owners/ingestion/tables'
import type { UserContext } from '@youworker/messaging/requests/context'
import type { QueryTerm } from '../../../analysis/query.ts'
import type { IngestionUnitOfWork } from '../../../unit-of-work.ts'
import { notFound, type Readable, readableOf, type SharedWith, type SpaceAccess, type SpacesOfUser } from '../../space-access.ts'
import { type ExplainedParts, sentenceOf, verdictOf } from './explain-verdict.ts'
import { chunksOf, MAX_SHOWN, termsOf } from './explained-document.ts'
import type { IndexedSpace } from '../index-service.ts'
import { filterOf, type SpaceQuery } from '../retrieval.ts'
import type { Candidates, SearchIndex } from '../search-index.ts'
import { NO_TRUST } from '../ranking/embedding-trust.ts'
import type { SearchService } from '../search-service.ts'

const NOTHING: Candidates = { dense: [], lexical: [] }

interface ExplainDependencies {
  readonly uow: IngestionUnitOfWork
  readonly access: SpaceAccess
  readonly spacesOf: SpacesOfUser
  readonly shared: SharedWith
  readonly searches: SearchService
}

interface Asked {
  /** `undefined` when it is in none of them. */
  readonly document: DocumentRow | undefined
  readonly readable: Readable
}

/** Says why a search did or did not return a document, by searching again and looking for it on each way. */
export class ExplainService {
  readonly #deps: ExplainDependencies

  constructor(dependencies: ExplainDependencies) {
    this.#deps = dependencies
  }

  async explain({ document_id, as_user_id, ...query }: ExplainQuery, context: UserContext): Promise<Explanation> {
    const { document, readable } = await (as_user_id === undefined
      ? this.#own(document_id, context)
      : this.#asUser(document_id, as_user_id, context))
    const wanted = [query.group_id, query.space_id].filter((id) => id !== undefined)
    for (const id of wanted)
      if (!readable.ids.includes(id)) throw new AppError('GROUP_NOT_FOUND', 'The user may not read that space')
    const ids = readable.ids.filter((id) => wanted.every((each) => each === id))
    const asked = readableOf({ ids, complete: true }, wanted.length === 0 ? readable.shared : [])
    if (!document) return nothingOf(document_id, 'space_not_readable', { is_readable: false, is_asked: false })
    const space = { id: document.space_id, is_readable: true, is_asked: asked.all.includes(document.space_id) }
    if (document.deleted_at !== null) return nothingOf(document_id, 'deleted', space)
    const found = { ...(await this.#parts(query, document, asked, context.signal)), space }
    const explanation = { document_id, ...verdictOf(found), ...shown(found) }
    return readable.ids.includes(document.space_id) ? explanation : withoutCounts(explanation)
  }

  async #own(documentId: string, context: UserContext): Promise<Asked> {
    const { found, spaces } = await this.#deps.access.findReadable(context, async (readable) => {
      const document = await this.#document(documentId, readable)
      return document && { document, readable }
    })
    if (!found) throw notFound(spaces, noDocument())
    return found
  }

  /** Also one that is deleted, to those who could restore it. */
  async #document(documentId: string, { all, ids, shared }: Readable): Promise<DocumentRow | undefined> {
    const { uow } = this.#deps
    const found = await uow.in(all, shared).read(({ documents }) => documents.get(documentId))
    return found ?? uow.inWithDeleted(ids).read(({ documents }) => documents.get(documentId))
  }

  async #asUser(documentId: string, userId: string, context: UserContext): Promise<Asked> {
    const { caller } = context
    const outcome = caller.is_root ? ('allowed' as const) : ('denied' as const)
    const act = { actor_id: caller.user_id, action: 'search.explain', outcome, target_type: 'user', target_id: userId }
    await this.#deps.uow.in([]).write(async ({ outbox }) => recordAudit(outbox, ingestion.auditRecorded, act, context))
    if (!caller.is_root) throw new AppError('NOT_AUTHORIZED', 'Only root may ask as another user; leave as_user_id out')
    const [ids, shared] = await Promise.all([this.#deps.spacesOf(userId), this.#deps.shared(userId)])
    const readable = readableOf({ ids, complete: true }, shared)
    // Only what that user may read: root learns of no other document whether there is one.
    const document = await this.#document(documentId, readable)
    return { document, readable }
  }

  async #parts(
    query: Omit<ExplainQuery, 'document_id' | 'as_user_id'>,
    document: DocumentRow,
    asked: Readable,
    signal: AbortSignal,
  ): Promise<Omit<ExplainedParts, 'space'>> {
    const prepared = await this.#deps.searches.prepare(query, asked, signal)
    const { generation, question, spaces } = prepared
    const { index } = generation
    const { found, hits, rerank } = await this.#deps.searches.ordered(query, prepared, signal)
    const own = found.spaces.find(({ space_id }) => space_id === document.space_id)
    const direct = own ? await directOf(index, own, document.id) : NOTHING
    const ids = [...new Set([...direct.lexical, ...direct.dense].map(({ chunk_id }) => chunk_id))]
    const rows = await this.#rows({ ...asked, all: [document.space_id] }, ids, document.collection ?? undefined)
    const isHidden = document.collection === EXAMPLES && query.collection === undefined
    return {
      failed_filters: await this.#failedFilters(query, document),
      chunks: chunksOf({ rows, direct, found, hits, asked: question.asked }),
      isExample: isHidden && (await this.#rows(asked, ids, undefined)).length === 0,
      isIndexed: own === undefined || (await isIndexed(index, own.space_id, spaces)),
      asked: question.asked,
      trust: question.trust,
      mode: query.mode,
      ...(rerank === undefined ? {} : { rerank }),
      cut_off: { from: query.offset, to: query.offset + query.top_k, ranked: hits.length },
      terms: own ? await termsOf(index, own) : [],
    }
  }

  #rows({ ids, all, shared }: Readable, chunkIds: readonly string[], collection: string | undefined) {
    return this.#deps.uow.in(ids, shared).read(({ searches }) => searches.hits(all, chunkIds, { collection }))
  }

  async #failedFilters(query: Parameters<typeof filterOf>[0], { id, space_id }: DocumentRow): Promise<string[]> {
    const filters = Object.entries(filterOf(query)).filter(([, value]) => value !== undefined)
    const failed = await this.#deps.uow.in([space_id]).read(({ searches }) =>
      Promise.all(
        filters.map(async ([name, value]) => {
          if (name === 'document_ids') return Array.isArray(value) && value.includes(id) ? [] : [name]
          const passed = await searches.documentsWith(space_id, { [name]: value, document_ids: [id] }, 1)
          return passed.length > 0 ? [] : [name]
        }),
      ),
    )
    return failed.flat()
  }
}

/** What the passages of one document score, also those that lack a phrase or have a word to leave out. */
function directOf(index: SearchIndex, { space_id, terms, vector }: SpaceQuery, documentId: string): Promise<Candidates> {
  const should = terms.filter(({ use }) => use !== 'not').map((term): QueryTerm => ({ ...term, use: 'should' }))
  return index.search(space_id, { terms: should, vector, limit: MAX_SHOWN, document_ids: [documentId] })
}

/** The index holds all that Postgres held when the search began. */
async function isIndexed(index: SearchIndex, spaceId: string, spaces: readonly IndexedSpace[]): Promise<boolean> {
  const state = await index.state(spaceId)
  return state !== undefined && spaces.some(({ space_id, seq }) => space_id === spaceId && state.seq >= seq)
}

/** Of a document that was not looked for. */
const nothingOf = (document_id: string, verdict: Verdict, space: Explanation['space']): Explanation => ({
  document_id,
  verdict,
  because: sentenceOf(verdict),
  space,
  failed_filters: [],
  terms: [],
  embedding: NO_TRUST,
  cut_off: { from: 0, to: 0, ranked: 0 },
  chunks: [],
})

/** How often a word stands in all documents of a space is not for who was let into one collection. */
const withoutCounts = (explanation: Explanation): Explanation => ({
  ...explanation,
  terms: [],
  chunks: explanation.chunks.map(({ lexical: _count, ...chunk }) => chunk),
})

const noDocument = () => new AppError('DOCUMENT_NOT_FOUND', 'There is no such document among yours')

const shown = ({ space, failed_filters, terms, trust, rerank, cut_off, chunks }: ExplainedParts) => ({
  space,
  failed_filters,
  terms: [...terms],
  embedding: trust,
  ...(rerank === undefined ? {} : { rerank }),
  cut_off,
  chunks: [...chunks],
})
