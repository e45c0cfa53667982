import type { ModelStepRow } from '@youworker/database/owners/chat-agent/tables'
import { newId } from '@youworker/runtime/id'
import type { ChatAgentUnitOfWork } from '../../unit-of-work.ts'
import { streamAnswer, type ModelTurn } from './answer-stream.ts'
import type { ModelInfo, ModelPort, ModelToolCall } from '../models/model-port.ts'
import type { OpenRun } from '../runs/open-run.ts'
import type { StoredCall } from '../runs/restore-turn.ts'
import type { Outcome } from '../runs/run-finisher.ts'
import { place } from '../sealed-fields.ts'
import type { ToolBox } from '../tools/tool-box.ts'
import type { ToolCaller } from '../tools/tool-caller.ts'

interface Round {
  readonly info: ModelInfo
  readonly tools: ToolBox
  readonly maxIterations: number
  readonly signal: AbortSignal
}

const MAX_NAME = 128

/** Ask the model, make the tool calls that it wants, ask again, until it answers without one. */
export class AgentLoop {
  readonly #uow: ChatAgentUnitOfWork
  readonly #model: ModelPort
  readonly #caller: ToolCaller

  constructor(uow: ChatAgentUnitOfWork, model: ModelPort, caller: ToolCaller) {
    this.#uow = uow
    this.#model = model
    this.#caller = caller
  }

  async run(open: OpenRun, round: Round): Promise<Outcome> {
    this.#showMissingEnds(open)
    await this.#callTools(open, round)
    while (open.iterations < round.maxIterations) {
      const begin = open.text.length - open.partial.length
      open.emit({ event: 'status', data: { stage: 'thinking' } })
      const turn = await streamAnswer(this.#model, open, { info: round.info, tools: round.tools.tools, signal: round.signal })
      open.partial = ''
      open.iterations += 1
      open.tokens_in += turn.tokens_in
      open.tokens_out += turn.tokens_out
      open.lastStep = stepOf(open, turn)
      if (turn.cut) {
        open.log('warning', 'The answer reached its longest and was cut.')
        return { status: 'success' }
      }
      if (turn.tool_calls.length === 0) return { status: 'success' }
      if (open.iterations >= round.maxIterations) break
      await this.#plan(open, turn, round.tools, begin)
      await this.#callTools(open, round)
    }
    open.log(
      'warning',
      `The agent stopped after ${round.maxIterations} calls of the model; raise max_iterations to let it go on.`,
    )
    return { status: 'max_iterations' }
  }

  /** The step and the calls that it wants, in one transaction: from here on another owner can go on. */
  async #plan(open: OpenRun, turn: ModelTurn, tools: ToolBox, begin: number): Promise<void> {
    const { run, space } = open.record
    const { id: run_id, space_id, user_id, session_id } = run
    const iteration = open.iterations
    const calls = turn.tool_calls.map((call) => plannedCall(call, iteration, tools))
    const rows = calls.map(({ id, name, args, idempotent }, index) => {
      const sealed = space.sealText(JSON.stringify(args), place.args(id))
      return { id, space_id, user_id, session_id, run_id, iteration, index, tool_name: name, idempotent, args: sealed }
    })
    await open.flush()
    await this.#uow.in([space_id]).write(async ({ jobs, runs, toolRuns }) => {
      await jobs.fence(run_id, open.attempt)
      await runs.addStep(stepOf(open, turn))
      await runs.addUse(run_id, { tokens_in: open.tokens_in, tokens_out: open.tokens_out, ttft_ms: open.ttft_ms })
      await toolRuns.add(rows)
    })
    open.toolCalls += calls.length
    open.open.push(...calls)
    const tool_calls = calls.map(({ name, args }) => ({ name, arguments: args }))
    open.messages.push({ role: 'assistant', content: open.text.slice(begin), tool_calls })
  }

  async #callTools(open: OpenRun, { tools, signal }: Round): Promise<void> {
    for (let call = open.open[0]; call; call = open.open[0]) {
      await this.#caller.call(open, call, tools, signal)
      open.open.shift()
    }
  }

  /** The last owner stored a result and died before it could show it. */
  #showMissingEnds(open: OpenRun): void {
    const ended = new Set(open.tool_events.flatMap((shown) => (shown.status === 'start' ? [] : [shown.run_id])))
    for (const call of open.record.calls) {
      const { status } = call
      if (status !== 'running' && !ended.has(call.id)) this.#caller.showEnd(open, call, { ...call, status })
    }
  }
}

function stepOf(open: OpenRun, { tokens_in, tokens_out, latency_ms }: ModelTurn): ModelStepRow {
  const { id: run_id, space_id } = open.record.run
  const { iterations: iteration, model } = open
  return { run_id, iteration, space_id, model, latency_ms, tokens_in, tokens_out, text_end: open.text.length }
}

function plannedCall({ name, arguments: args }: ModelToolCall, iteration: number, tools: ToolBox): StoredCall {
  const idempotent = tools.find(name)?.idempotent ?? true
  const state = { status: 'running', called: false, latency_ms: null, result: null, error: null } as const
  return { id: newId(), iteration, name: storable(name), args, idempotent, ...state }
}

/** A tool's name goes into a text column, in clear. */
const storable = (name: string): string =>
  name
    .replace(/\p{Cc}/gu, '')
    .toWellFormed()
    .slice(0, MAX_NAME) || 'unnamed'
