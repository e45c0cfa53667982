import { hash, randomUUID } from 'node:crypto'
import { z } from 'zod'
import type { IndexState } from '../../services/search/search-index.ts'
import { isMissing } from './qdrant-error.ts'
import type { QdrantApi } from './qdrant-api.ts'

/** A state that Qdrant holds always has its part. */
export interface PartState extends IndexState {
  readonly part: string
}

const Stored = z.object({ epoch: z.string(), model: z.string(), seq: z.int(), part: z.string(), writer: z.string() })
type Stored = z.output<typeof Stored>
const Points = z.array(z.object({ payload: z.unknown() }))
export const Done = z.object({ status: z.string() })

/** What spaces' parts of a collection follow: one point without vectors for each. It has no `space_id`, so no search finds it. */
export class SpaceStates {
  readonly #api: QdrantApi
  readonly #collection: string

  constructor(api: QdrantApi, collection: string) {
    this.#api = api
    this.#collection = collection
  }

  /** `undefined` also without a collection. */
  async get(spaceId: string): Promise<PartState | undefined> {
    const stored = await this.#read(spaceId)
    return stored && stateOf(stored)
  }

  /** A part that holds nothing yet, in place of the one before. */
  async start(spaceId: string, { epoch, model }: Pick<IndexState, 'epoch' | 'model'>): Promise<PartState> {
    const state: Stored = { epoch, model, seq: 0, part: randomUUID(), writer: randomUUID() }
    const point = { id: idOf(spaceId), vector: {}, payload: { state_of: spaceId, ...state } }
    await this.#api.write('upsert', Done, ({ upsertPoints }, { init }) =>
      upsertPoints({ collection_name: this.#collection, points: [point], wait: true, ordering: 'strong' }, init),
    )
    return stateOf(state)
  }

  /** Sets `seq` when the state is still `base`: of several who try at once, one. */
  async advance(spaceId: string, base: PartState, seq: number): Promise<boolean> {
    const writer = randomUUID()
    const must = [
      { has_id: [idOf(spaceId)] },
      { key: 'part', match: { value: base.part } },
      { key: 'seq', match: { value: base.seq } },
    ]
    await this.#api.write('set payload', Done, ({ setPayload }, { init }) =>
      setPayload(
        {
          collection_name: this.#collection,
          payload: { seq, writer },
          filter: { must },
          wait: true,
          ordering: 'strong',
        },
        init,
      ),
    )
    const stored = await this.#read(spaceId)
    return stored?.writer === writer
  }

  async remove(spaceId: string): Promise<void> {
    await this.#api.write('delete', Done, ({ deletePoints }, { init }) =>
      deletePoints({ collection_name: this.#collection, points: [idOf(spaceId)], wait: true, ordering: 'strong' }, init),
    )
  }

  async #read(spaceId: string): Promise<Stored | undefined> {
    const asked = { collection_name: this.#collection, ids: [idOf(spaceId)], with_payload: true }
    try {
      const [point] = await this.#api.read('retrieve', Points, ({ getPoints }, { init, timeout }) =>
        getPoints({ ...asked, consistency: 'majority', timeout }, init),
      )
      return point && Stored.safeParse(point.payload).data
    } catch (error) {
      if (isMissing(error)) return undefined
      throw error
    }
  }
}

const stateOf = ({ epoch, model, seq, part }: Stored): PartState => ({ epoch, model, seq, part })

/** A UUID that no chunk has: those of chunks are of version 4 or 7, this one of version 8 (RFC 9562). */
function idOf(spaceId: string): string {
  const digits = hash('sha256', `state of ${spaceId}`)
  return [
    digits.slice(0, 8),
    digits.slice(8, 12),
    `8${digits.slice(13, 16)}`,
    `8${digits.slice(17, 20)}`,
    digits.slice(20, 32),
  ].join('-')
}
