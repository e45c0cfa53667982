import type { ChatRun } from '@youworker/contracts/chat-agent'
import type { ModelStepRow, ToolRunRow, UnfinishedCallRow } from '@youworker/database/owners/chat-agent/tables'
import type { SpaceSealer } from '@youworker/database/sealing/sealer'
import { sealContext } from '../sealed-fields.ts'

interface Calls {
  readonly steps: readonly ModelStepRow[]
  readonly unfinished: readonly UnfinishedCallRow[]
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

const modelStep = ({ model, latency_ms }: Pick<UnfinishedCallRow, 'model' | 'latency_ms'>, status: string): Step => ({
  kind: 'model',
  name: model,
  status,
  latency_ms,
})

const toolStep = ({ tool_name, status, latency_ms }: ToolRunRow): Step => ({ kind: 'tool', name: tool_name, status, latency_ms })

function unfinishedStep(call: UnfinishedCallRow, space: SpaceSealer | undefined): Step {
  const { run_id, n, reason, said } = call
  const words = space && said ? { said: space.openText(said, sealContext.said(run_id, n)) } : {}
  return { ...modelStep(call, reason), ...words }
}
