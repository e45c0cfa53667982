import type { RunRow } from '@youworker/database/owners/chat-agent/tables'
import type { ModelStep, UnfinishedCall } from '../../repositories/run-repository.ts'
import type { ToolStepRow } from '../../repositories/tool-run-repository.ts'

/** A call that a run made, as it is stored, or the call of the model that is being made. */
export type StoredStep =
  | { readonly is: 'answered'; readonly row: ModelStep }
  | { readonly is: 'unfinished'; readonly row: UnfinishedCall }
  | { readonly is: 'tool'; readonly row: ToolStepRow }
  | { readonly is: 'running'; readonly iteration: number; readonly model: string; readonly started_at: string }

interface Rows {
  readonly steps: readonly ModelStep[]
  readonly unfinished: readonly UnfinishedCall[]
  readonly tools: readonly ToolStepRow[]
}

/** The calls of a run in their order. What a running agent does is known only once it has ended: with no tool call open, it asks the model. */
export function storedSteps(
  run: Pick<RunRow, 'status' | 'model' | 'updated_at'>,
  { steps, unfinished, tools }: Rows,
): StoredStep[] {
  const last = Math.max(0, ...steps.map(({ iteration }) => iteration), ...unfinished.map(({ iteration }) => iteration))
  const stored = Array.from({ length: last }, (_, at) => at + 1).flatMap((iteration): StoredStep[] => {
    const inIteration = (call: { readonly iteration: number }) => call.iteration === iteration
    return [
      ...unfinished.filter(inIteration).map((row) => ({ is: 'unfinished', row }) as const),
      ...steps.filter(inIteration).map((row) => ({ is: 'answered', row }) as const),
      ...tools.filter(inIteration).map((row) => ({ is: 'tool', row }) as const),
    ]
  })
  if (run.status !== 'running' || tools.some(({ status }) => status === 'running')) return stored
  const ends = tools.flatMap(({ end_ts }) => (end_ts === null ? [] : [Date.parse(end_ts)]))
  const started_at = new Date(Math.max(Date.parse(run.updated_at), ...ends)).toISOString()
  const model = run.model ?? steps.at(-1)?.model ?? ''
  return [...stored, { is: 'running', iteration: steps.length + 1, model, started_at }]
}
