import { chatAgent } from '@youworker/contracts/chat-agent'
import type { JobEnded, JobRow } from '@youworker/database/jobs/jobs'
import type { MessageRow, RunRow } from '@youworker/database/owners/chat-agent/tables'
import type { Sealer, SpaceSealer } from '@youworker/database/sealing/sealer'
import { metrics } from '@youworker/runtime/health/metrics'
import { newId } from '@youworker/runtime/id'
import type { Logger } from '@youworker/runtime/logger'
import { ModelError } from '@youworker/runtime/model-error'
import { countTokens, cutTokens } from '@youworker/runtime/text/count-tokens'
import { cleanText } from '@youworker/runtime/text/text'
import type { ChatAgentUnitOfWork } from '../../unit-of-work.ts'
import { type CallUse, estimatePrompt } from '../models/call-use.ts'
import type { ModelChunk, ModelInfo, ModelMessage, ModelPort } from '../models/model-port.ts'
import { unnumbered } from '../runs/load-run.ts'
import { sealContext } from '../sealed-fields.ts'
import { planSummary, type SummaryPlan, summaryPrompt } from './plan-summary.ts'

interface SummaryParts {
  readonly uow: ChatAgentUnitOfWork
  readonly sealer: Sealer
  readonly model: ModelPort
  readonly logger: Logger
}

interface Read {
  text: string
  thinking: string
  usage: ModelChunk['usage'] | undefined
}

/** What a call of the model came to. */
interface Written extends Pick<CallUse, 'tokens_in' | 'tokens_out' | 'estimated'> {
  readonly model: string
  /** Empty when the call failed. */
  readonly text: string
}

/** From the turn to wait for the model to the last word. */
const DEADLINE_MS = 300_000
/** Messages that are read: of a session which was never summarised, older ones are not. */
const READ = 250
/** Part of the model's window for what it reads. */
const PROMPT_SHARE = 0.75
/** What a model that thinks may write beside the summary. */
const THOUGHT_TOKENS = 1_024
/** UTF-16 units after which nothing more is read. */
const MOST = { text: 16_000, thinking: 32_000 } as const

/**
 * Summarises older turns of sessions in the background, so that no answer waits for it. A summary is a message behind the last turn that
 * it covers. Where the model fails, older turns stay left out, and the next answer of the session asks for a summary again.
 */
export class SummaryWriter {
  readonly #parts: SummaryParts

  constructor(parts: SummaryParts) {
    this.#parts = parts
  }

  /** Rejects when the process stops or loses the job: another one begins again. */
  async run(job: JobRow, signal: AbortSignal): Promise<JobEnded> {
    const found = await this.#find(job)
    if (!found) return this.#end(job)
    const space = await this.#parts.sealer.forSpace(job.space_id)
    const plan = planSummary(space, found.messages, Number(job.payload['budget']))
    if (!plan) return this.#end(job)
    const written = await this.#write(found.run, space, plan, signal)
    return this.#end(job, { plan, written, space })
  }

  giveUp(job: JobRow): Promise<JobEnded> {
    return this.#end(job)
  }

  /** `undefined` when the session or the run was erased. */
  #find({ space_id, payload }: JobRow): Promise<{ run: RunRow; messages: readonly MessageRow[] } | undefined> {
    return this.#parts.uow.in([space_id]).read(async ({ runs, messages }) => {
      const run = await runs.find(String(payload['run_id']))
      return run && { run, messages: await messages.latest(run, READ) }
    })
  }

  /** The summary, or what a call that failed has used. */
  async #write(run: RunRow, space: SpaceSealer, plan: SummaryPlan, signal: AbortSignal): Promise<Written | undefined> {
    const { model, logger } = this.#parts
    const within = AbortSignal.any([signal, AbortSignal.timeout(DEADLINE_MS)])
    const read: Read = { text: '', thinking: '', usage: undefined }
    let asked: { readonly info: ModelInfo; readonly messages: readonly ModelMessage[] } | undefined
    try {
      const info = await model.describe(run.model, within)
      const messages = summaryPrompt(space, plan, Math.floor(info.context * PROMPT_SHARE))
      asked = { info, messages }
      const thinks = (info.thinking?.length ?? 0) > 0
      const parameters = {
        max_tokens: plan.mostTokens + (thinks ? THOUGHT_TOKENS : 0),
        ...(thinks ? { think: 'off' as const } : {}),
      }
      const calls = { user: run.user_id, isBackground: true, onQueued: () => {}, onWaiting: () => {} }
      for await (const chunk of model.chat({ model: info, messages, tools: [], parameters, signal: within, ...calls })) {
        read.text += chunk.text
        read.thinking += chunk.thinking
        read.usage = chunk.usage ?? read.usage
        if (read.text.length > MOST.text || read.thinking.length > MOST.thinking) break
      }
      const text = cutTokens(cleanText(unnumbered(read.text)).trim(), plan.mostTokens)
      if (text === '') throw new ModelError('failed', 'the summary is empty')
      return { text, model: info.name, ...useOf(asked, read) }
    } catch (error) {
      signal.throwIfAborted()
      const reason = error instanceof ModelError ? error.message : within.aborted ? 'it took too long' : undefined
      if (reason === undefined) throw error
      logger.warn({ run: run.id, reason }, 'older turns of a session could not be summarised')
      return asked && { text: '', model: asked.info.name, ...useOf(asked, read) }
    }
  }

  #end(job: JobRow, made?: { plan: SummaryPlan; written: Written | undefined; space: SpaceSealer }): Promise<JobEnded> {
    const { id: jobId, attempt, user_id, space_id, payload } = job
    return this.#parts.uow.in([space_id]).write(async ({ sessions, messages, jobs, outbox }) => {
      const session = await sessions.lock(user_id, String(payload['session_id']))
      await jobs.fence(jobId, attempt)
      const { plan, written, space } = made ?? {}
      const last = plan?.covered.at(-1)
      if (!session || !plan || !last || !written || !space) return jobs.delete(jobId)
      const { text, model, estimated, ...use } = written
      const id = newId()
      // What was erased meanwhile must not live on in it.
      const isWhole =
        text !== '' &&
        (await messages.areThere(
          session.id,
          plan.read.map((row) => row.id),
        ))
      if (isWhole) {
        const place = { session_id: session.id, space_id, run_id: last.run_id, turn: last.turn, branch: last.branch }
        await messages.add([{ id, ...place, role: 'summary', content: space.sealText(text, sealContext.message(id)), ...use }])
      }
      if (use.tokens_in + use.tokens_out > 0) {
        const status = isWhole ? 'success' : 'failed'
        outbox.add(chatAgent.summaryFinished, {
          summary_id: id,
          session_id: session.id,
          user_id,
          status,
          model,
          ...use,
          estimated,
        })
      }
      return jobs.delete(jobId)
    })
  }
}

/** The model's own counts, or estimates where it gave none. A call that was never answered used nothing that is known. */
function useOf(
  { info, messages }: { readonly info: ModelInfo; readonly messages: readonly ModelMessage[] },
  { text, thinking, usage }: Read,
): Pick<CallUse, 'tokens_in' | 'tokens_out' | 'estimated'> {
  const { tokens_in, tokens_out } = usage ?? {}
  if (usage === undefined && text === '' && thinking === '') return { tokens_in: 0, tokens_out: 0, estimated: false }
  const use = {
    tokens_in: tokens_in ?? estimatePrompt(messages, info.context),
    tokens_out: tokens_out ?? countTokens(thinking + text),
  }
  metrics.modelTokens.labels(info.name, 'in').inc(use.tokens_in)
  metrics.modelTokens.labels(info.name, 'out').inc(use.tokens_out)
  return { ...use, estimated: tokens_in === undefined || tokens_out === undefined }
}
