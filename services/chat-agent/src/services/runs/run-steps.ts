import type { ChatRun } from '@youworker/contracts/chat-agent'
import type { ToolRunRow } from '@youworker/database/owners/chat-agent/tables'
import type { SpaceSealer } from '@youworker/database/sealing/sealer'
import type { ModelStep, UnfinishedCall } from '../../repositories/run-repository.ts'
import { sealContext } from '../sealed-fields.ts'

interface Calls {
  readonly steps: readonly ModelStep[]
  readonly unfinished: readonly UnfinishedCall[]
  readonly tools: readonly ToolRunRow[]
}

type Step = ChatRun['steps'][number]

/** The calls of a run in their order. With `space` the words of model servers about failures are unsealed. */
export function stepsOf({ steps, unfinished, tools }: Calls, space: SpaceSealer | undefined): Step[] {
  const last = Math.max(0, ...steps.map(({ iteration }) => iteration), ...unfinished.map(({ iteration }) => iteration))
  // 0: tools that were called before the model was asked.
  return Array.from({ length: last + 1 }, (_, iteration) => iteration).flatMap((iteration) => {
    const inIteration = (call: { readonly iteration: number }) => call.iteration === iteration
    return [
      ...unfinished.filter(inIteration).map((call) => unfinishedStep(call, space)),
      ...steps.filter(inIteration).map((step) => modelStep(step, 'success')),
      ...tools.filter(inIteration).map(toolStep),
    ]
  })
}

const modelStep = ({ model, latency_ms }: Pick<UnfinishedCall, 'model' | 'latency_ms'>, status: string): Step => ({
  kind: 'model',
  name: model,
  status,
  latency_ms,
})

const toolStep = ({ tool_name, status, latency_ms }: ToolRunRow): Step => ({ kind: 'tool', name: tool_name, status, latency_ms })

function unfinishedStep(call: UnfinishedCall, space: SpaceSealer | undefined): Step {
  const { run_id, n, reason, said } = call
  const words = space && said ? { said: space.openText(said, sealContext.said(run_id, n)) } : {}
  return { ...modelStep(call, reason), ...words }
}
