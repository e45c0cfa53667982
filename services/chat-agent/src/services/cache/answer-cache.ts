import type { Done } from '@youworker/contracts/agent/run-log'
import type { SpaceSealer } from '@youworker/database/sealing/sealer'
import { metrics } from '@youworker/runtime/health/metrics'
import type { ChatAgentRepositories } from '../../unit-of-work.ts'
import type { ModelPort } from '../models/model-port.ts'
import type { Outcome } from '../runs/run-finisher.ts'
import type { RunState } from '../runs/run-state.ts'
import { sealContext } from '../sealed-fields.ts'
import type { OfferedTools } from '../tools/offered-tools.ts'
import { type Asked, cacheKey, isPromptKnown, type Offered } from './cache-key.ts'
import { evicted, LABELS } from './evicted.ts'
import { bucketOf, EVERYTHING } from './knowledge-buckets.ts'
import type { KnowledgeChanges } from './knowledge-changes.ts'

/** An answer that was given before. */
export interface CachedAnswer extends Pick<Done, 'content' | 'citations' | 'logs'> {
  readonly model: string
  readonly finish_reason?: Done['metadata']['finish_reason']
}

interface CacheParts {
  readonly knowledge: KnowledgeChanges
  readonly model: Pick<ModelPort, 'known'>
  readonly tools: OfferedTools
  /** How long an answer is kept; 0 keeps none. */
  readonly ttlMs: number
}

/** UTF-8 bytes of JSON; longer answers are not kept. */
const MOST_BYTES = 64 * 1024
/** Answers kept of one user. */
const MOST_OF_USER = 100

/** Answers of a few minutes, for those who ask the same again with `cache: true`, or in a session of a group that wants it. Nobody gets another user's. */
export class AnswerCache {
  readonly #parts: CacheParts

  constructor(parts: CacheParts) {
    this.#parts = parts
  }

  /** The answer of the run may be kept. What an earlier attempt was offered is not known, and a summary may be made anew. */
  begin(state: RunState, model: string): void {
    const { settings, attempt, run, summary, history, messages, group, space } = state
    if (!this.isOn || !isWanted(settings, group) || settings.client_tools || attempt !== 1 || summary.length > 0) return
    const asked = { run, settings, history, messages, group }
    const offered = this.#offered(asked)
    if (offered?.model.name === model) state.cacheKey = cacheKey(space, asked, offered)
  }

  /** Call it in the transaction that gives the answer. */
  async find({ cachedAnswers }: ChatAgentRepositories, space: SpaceSealer, asked: Asked): Promise<CachedAnswer | undefined> {
    const offered = this.#offered(asked)
    const key = offered && cacheKey(space, asked, offered)
    const found = key && (await cachedAnswers.find(asked.run.space_id, key))
    const isStale = found !== undefined && !found.is_fresh
    if (isStale) metrics.cacheStale.labels(...LABELS).inc()
    const isHit = found !== undefined && found.is_live && found.is_fresh
    ;(isHit ? metrics.cacheHits : metrics.cacheMisses).labels(...LABELS).inc()
    if (!isHit) return undefined
    // Written by `keep` from the same type.
    return JSON.parse(space.openText(found.body, sealContext.cachedAnswer(found.run_id))) as CachedAnswer
  }

  /** Of a run that ends, in the transaction that ends it. */
  async keep({ cachedAnswers }: ChatAgentRepositories, state: RunState, outcome: Outcome, done: Done): Promise<void> {
    const { run, space, cacheKey: key } = state
    const spaces = mayBeKept(state, outcome) ? state.sources.spaces : undefined
    if (!key || !spaces) return
    const { content, citations, logs, metadata } = done
    const { model, finish_reason } = metadata
    const answer: CachedAnswer = { content, citations, logs, model, ...(finish_reason ? { finish_reason } : {}) }
    const json = JSON.stringify(answer)
    if (content === '' || Buffer.byteLength(json) > MOST_BYTES) return
    // What the user may read is noted with their own space.
    const known = [...spaces, run.user_id].map(bucketOf)
    const knowledge = spaces.size === 0 ? [] : [...new Set([EVERYTHING, ...known])]
    const body = space.sealText(json, sealContext.cachedAnswer(run.id))
    const { space_id } = run
    await cachedAnswers.put({ space_id, key, run_id: run.id, body, knowledge }, this.#parts.ttlMs)
    evicted(await cachedAnswers.limit(space_id, MOST_OF_USER))
  }

  get isOn(): boolean {
    return this.#parts.ttlMs > 0
  }

  /** Whether answers are given: not before all changes that this process has heard of are noted. */
  async isReady(): Promise<boolean> {
    return this.isOn && (await this.#parts.knowledge.settled())
  }

  #offered(asked: Asked): Offered | undefined {
    const { run } = asked
    const model = isPromptKnown(asked) ? this.#parts.model.known(run.model) : undefined
    if (!model) return undefined
    const tools = run.enable_tools ? this.#parts.tools.known(run) : []
    return tools && { model, tools }
  }
}

const isWanted = ({ cache }: RunState['settings'], group: RunState['group']): boolean =>
  cache !== undefined && (cache.by_group !== true || group?.cache_answers === true)

/** Only a whole answer, for which nothing was missing. Thoughts that were shown are part of one, and are not kept. */
const mayBeKept = ({ awayTools, log }: RunState, { status, client_calls, notice }: Outcome): boolean =>
  status === 'success' && client_calls === undefined && !notice && awayTools.size === 0 && log.thoughtLength === 0
