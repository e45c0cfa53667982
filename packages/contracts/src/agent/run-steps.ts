import { z } from 'zod'
import { Id, Time } from '../common.ts'
import { LIMITS } from '../limits.ts'
import { request } from '../define.ts'
import { ModelParameters } from './model.ts'

const Count = z.number().int().min(0)
const Arguments = z.record(z.string(), z.unknown())

export const StepStatus = z.enum(['pending', 'running', 'done', 'failed', 'stopped', 'interrupted', 'outcome_unknown']).meta({
  description:
    '`interrupted`: the process that made the call ended. `outcome_unknown`: the tool was called, and nobody knows whether it did its work.',
})
export type StepStatus = z.infer<typeof StepStatus>

const PromptMessage = z.object({
  role: z.enum(['system', 'user', 'assistant', 'tool']),
  content: z.string(),
  tool_name: z.string().optional(),
  tool_calls: z.array(z.object({ name: z.string(), arguments: Arguments })).optional(),
})
export type PromptMessage = z.infer<typeof PromptMessage>

const ModelCallContent = z.object({
  prompt: z.array(PromptMessage).nullable().meta({ description: 'What the model was given; null when nobody knows.' }),
  tools: z.array(z.string()).meta({ description: 'Names of the tools that it was offered.' }),
  response: z.object({
    content: z.string().meta({ description: 'As the model wrote it.' }),
    thinking: z.string(),
    tool_calls: z.array(z.object({ name: z.string(), arguments: Arguments })),
  }),
  cut: z.boolean().meta({ description: 'Too long to be kept or shown whole, or some of it was erased since.' }),
})
export type ModelCallContent = z.infer<typeof ModelCallContent>

const common = {
  index: z.number().int().min(1).meta({ description: 'Its place in the run, for `after` of the next page.' }),
  iteration: Count,
  status: StepStatus,
  started_at: Time.nullable(),
  latency_ms: Count.nullable(),
  error: z.string().nullable(),
}

const ModelCallStep = z.object({
  ...common,
  kind: z.literal('model'),
  attempt: Count.nullable(),
  model: z.string(),
  backend: z.string().nullable().meta({ description: 'Name of the model server that was asked.' }),
  parameters: z.object(ModelParameters.shape),
  tokens_in: Count,
  tokens_out: Count,
  estimated: z.boolean().meta({ description: 'The model did not count all of the tokens.' }),
  finish_reason: z.string().nullable(),
  content: ModelCallContent.optional(),
})

const ToolCallStep = z.object({
  ...common,
  kind: z.literal('tool'),
  tool_run_id: Id,
  tool_name: z.string(),
  idempotent: z.boolean(),
  content: z.object({ arguments: Arguments, result: z.string().nullable(), cut: z.boolean() }).optional(),
})

/** One call that a run made, of the model or of a tool. */
export const RunStep = z.discriminatedUnion('kind', [ModelCallStep, ToolCallStep]).meta({ id: 'RunStep' })
export type RunStep = z.infer<typeof RunStep>

export const StepPage = z.object({
  include: z.literal('content').optional().meta({ description: '`content`: what was asked and answered as well.' }),
  after: z.coerce.number().int().min(0).max(1_000_000).default(0),
  limit: z.coerce.number().int().min(1).max(LIMITS.listRows).default(LIMITS.listRows),
})

export const steps = {
  /** In their order, at most `LIMITS.entriesPage` bytes or one step that has more; `next` is the `after` of the following page. */
  listSteps: request('rpc.chat-agent.v1.run.steps', {
    input: StepPage.extend({ run_id: Id }),
    output: z.object({ steps: z.array(RunStep), next: Count.nullable() }),
    errors: ['RUN_NOT_FOUND'],
    repeatable: true,
  }),
} as const
