import { newId } from '@youworker/runtime/id'
import { isModelAway } from '@youworker/runtime/model-error'
import { cleanText } from '@youworker/runtime/text/text'
import type { ChatAgentUnitOfWork } from '../../unit-of-work.ts'
import type { ModelInfo, ModelPort, ModelToolCall } from '../models/model-port.ts'
import type { OutageWait } from '../runs/outage-wait.ts'
import { CLIENT_CALLS_BYTES, type Outcome } from '../runs/run-finisher.ts'
import type { RunState } from '../runs/run-state.ts'
import { sealContext } from '../sealed-fields.ts'
import { bytesOf } from '../clip.ts'
import { chooseStrategy } from '../strategies/choose-strategy.ts'
import type { Strategy } from '../strategies/strategy.ts'
import type { ToolBox } from '../tools/tool-box.ts'
import type { ToolCall } from '../tools/tool-call.ts'
import { streamAnswer } from './stream-answer.ts'
import type { ToolCaller } from './tool-caller.ts'

interface LoopOptions {
  readonly info: ModelInfo
  readonly tools: ToolBox
  readonly maxIterations: number
  readonly waits: { readonly model: OutageWait; readonly tools: OutageWait }
  readonly signal: AbortSignal
}

const MAX_NAME = 128
/** Most calls of one run that are made at the same time. */
const SIDE_BY_SIDE = 4

/** Asks the model, makes the tool calls that it wants, and asks again until it answers without one. */
export class AgentLoop {
  readonly #uow: ChatAgentUnitOfWork
  readonly #model: ModelPort
  readonly #caller: ToolCaller

  constructor(uow: ChatAgentUnitOfWork, model: ModelPort, caller: ToolCaller) {
    this.#uow = uow
    this.#model = model
    this.#caller = caller
  }

  async run(state: RunState, options: LoopOptions): Promise<Outcome> {
    const { info, tools, waits, maxIterations, signal } = options
    for (const call of state.unloggedEnds) this.#caller.logEnd(state, call, options)
    await this.#callTools(state, options)
    const { client_tools = [] } = state.settings
    const isClients = ({ name }: { readonly name: string }) => client_tools.some((tool) => tool.name === name)
    const usable = [...tools.tools.filter((tool) => !isClients(tool)), ...client_tools]
    const strategy = strategyOf(state, info, usable.length > 0)
    await this.#open(state, strategy, options)
    const offered = strategy.offersTools ? usable : []
    while (state.iterations < maxIterations) {
      state.log.emit({ event: 'status', data: { stage: 'thinking' } })
      const ask = (onTurn: () => void) => streamAnswer(this.#model, state, { info, tools: offered, strategy, signal, onTurn })
      const turn = await waits.model.repeat(ask, isModelAway)
      state.modelAnswered(turn)
      if (turn.cut) {
        state.log.note('warning', 'The answer reached its longest and was cut.')
        return { status: 'success' }
      }
      if (turn.tool_calls.length === 0) return { status: 'success' }
      // The client asks again with their results, and the model may then want ours again.
      if (turn.tool_calls.some(isClients)) return forClient(turn.tool_calls.filter(isClients))
      if (state.iterations >= maxIterations) break
      const marked = await this.#plan(state, turn.tool_calls, options)
      await this.#callTools(state, options, marked)
    }
    const limit = `The agent stopped after ${maxIterations} calls of the model; raise max_iterations to let it go on.`
    state.log.note('warning', limit)
    return { status: 'max_iterations' }
  }

  /** Makes the calls that come before the model is asked, unless an earlier attempt has planned them. */
  async #open(state: RunState, strategy: Strategy, options: LoopOptions): Promise<void> {
    if (state.iterations > 0 || state.toolCalls > 0 || state.partial !== '') return
    const question = state.messages.find(({ role }) => role === 'user')?.content ?? ''
    const calls = strategy.opening(question, (name) => options.tools.find(name)?.own === true)
    if (calls.length > 0) await this.#callTools(state, options, await this.#plan(state, calls, options))
  }

  /**
   * Stores the model's step and its tool calls in one transaction. From then on another attempt can continue. Returns the ids of the
   * calls that are made next, which are stored as called.
   */
  async #plan(state: RunState, wanted: readonly ModelToolCall[], { tools, signal }: LoopOptions): Promise<ReadonlySet<string>> {
    tools.prepare(
      wanted.map(({ name }) => name),
      signal,
    )
    const { run, space, lastStep, attempt, modelCalls, iterations: iteration } = state
    const { id: run_id, space_id, user_id, session_id } = run
    const calls = wanted.map((call) => plannedCall(call, iteration, tools))
    const rows = calls.map(({ id, name, args, idempotent }, index) => {
      const sealed = space.sealText(JSON.stringify(args), sealContext.args(id))
      return { id, space_id, user_id, session_id, run_id, iteration, index, tool_name: name, idempotent, args: sealed }
    })
    const first = nextCalls(calls, tools).map(({ id }) => id)
    await state.log.flush()
    await this.#uow.in([space_id]).write(async ({ jobs, runs, toolRuns }) => {
      await jobs.fence(run_id, attempt)
      // Sent together and carried out in this order.
      await Promise.all([
        lastStep && runs.addStep(lastStep),
        runs.addUnfinishedCalls(modelCalls.unstored),
        runs.addUse(run_id, modelCalls.usage),
        toolRuns.add(rows),
        toolRuns.markCalled(first),
      ])
    })
    modelCalls.stored()
    state.toolCallsPlanned(calls)
    return new Set(first)
  }

  /** The model reads the results in the order of its calls, whichever ended first. */
  async #callTools(
    state: RunState,
    { tools, waits, signal }: LoopOptions,
    marked: ReadonlySet<string> = new Set(),
  ): Promise<void> {
    const options = { tools, wait: waits.tools, signal, marked }
    while (state.pendingCalls.length > 0) {
      const calls = nextCalls(state.pendingCalls, tools)
      const made = await Promise.allSettled(calls.map((call) => this.#caller.call(state, call, options)))
      for (const outcome of made) {
        if (outcome.status === 'rejected') throw outcome.reason
        state.toolCallEnded(outcome.value)
      }
    }
  }
}

function strategyOf({ settings, log, model }: RunState, info: ModelInfo, hasTools: boolean): Strategy {
  const { strategy: wanted, parameters } = settings
  if (hasTools && !info.tools && wanted === 'tools')
    log.note('warning', `${model} may not be able to call tools; leave out strategy.`)
  return chooseStrategy({ wanted, info, hasTools, isFormed: parameters?.format !== undefined })
}

/** The first call, and with it those behind it when all of them only read. */
function nextCalls(calls: readonly ToolCall[], tools: ToolBox): readonly ToolCall[] {
  const changes = calls.findIndex(({ name }) => tools.find(name)?.read_only !== true)
  const reading = changes === -1 ? calls.length : changes
  return calls.slice(0, Math.max(1, Math.min(reading, SIDE_BY_SIDE)))
}

function forClient(calls: readonly ModelToolCall[]): Outcome {
  const bytes = bytesOf(calls)
  if (bytes <= CLIENT_CALLS_BYTES) return { status: 'success', client_calls: calls }
  const names = calls.map(({ name }) => storable(name)).join(', ')
  const error = `The model called ${names} with ${bytes} bytes; ${CLIENT_CALLS_BYTES} fit. Ask for less at a time.`
  return { status: 'error', error }
}

function plannedCall({ name, arguments: args }: ModelToolCall, iteration: number, tools: ToolBox): ToolCall {
  const idempotent = tools.find(name)?.idempotent ?? true
  const progress = { status: 'running', called: false, is_away: false, latency_ms: null, result: null, error: null } as const
  return { id: newId(), iteration, name: storable(name), args, idempotent, ...progress }
}

/** The name of a tool as its text column can hold it. */
const storable = (name: string): string => cleanText(name, { lines: 'join', max: MAX_NAME }) || 'unnamed'
