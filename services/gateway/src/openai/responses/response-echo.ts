import { Metadata } from '@youworker/contracts/common'
import { z } from 'zod'
import { AGENT_MODEL } from '../../protocols/agent-model.ts'
import { FileSearchTool } from './file-search-tool.ts'
import { FunctionTool, type ResponseRequest, TextFormat, ToolChoice } from './response-request.ts'

/** The schema of filters stands with the request. */
const SearchEcho = FileSearchTool.extend({ filters: z.record(z.string(), z.unknown()).nullish() })

/** What a response repeats of its request. */
export const Echo = z.object({
  model: z.string(),
  background: z.boolean(),
  instructions: z.string().nullable(),
  max_output_tokens: z.number().nullable(),
  metadata: Metadata,
  parallel_tool_calls: z.boolean(),
  previous_response_id: z.string().nullable(),
  prompt_cache_key: z.string().nullable(),
  reasoning: z.object({ effort: z.string().nullable(), summary: z.string().nullable() }),
  safety_identifier: z.string().nullable(),
  store: z.boolean(),
  temperature: z.number().nullable(),
  text: z.object({ format: TextFormat, verbosity: z.string().nullable() }),
  tool_choice: ToolChoice,
  tools: z.array(z.union([FunctionTool.required(), SearchEcho])),
  top_p: z.number().nullable(),
  user: z.string().nullable(),
})

export function echoOf(request: ResponseRequest): z.output<typeof Echo> {
  const { background, parallel_tool_calls, store, reasoning, text, tool_choice, tools } = request
  return {
    model: request.model ?? AGENT_MODEL,
    background: background ?? false,
    instructions: request.instructions ?? null,
    max_output_tokens: request.max_output_tokens ?? null,
    metadata: request.metadata ?? {},
    parallel_tool_calls: parallel_tool_calls ?? true,
    previous_response_id: request.previous_response_id ?? null,
    prompt_cache_key: request.prompt_cache_key ?? null,
    reasoning: { effort: reasoning?.effort ?? null, summary: reasoning?.summary ?? null },
    safety_identifier: request.safety_identifier ?? null,
    store: store ?? true,
    temperature: request.temperature ?? null,
    text: { format: text?.format ?? { type: 'text' }, verbosity: text?.verbosity ?? 'medium' },
    tool_choice: tool_choice ?? 'auto',
    tools: (tools ?? []).flatMap(toolsOf),
    top_p: request.top_p ?? null,
    user: request.user ?? null,
  }
}

type Tool = NonNullable<ResponseRequest['tools']>[number]
const toolsOf = (tool: Tool): z.output<typeof Echo>['tools'] =>
  'name' in tool ? [toolOf(tool)] : 'vector_store_ids' in tool ? [tool] : []

const toolOf = ({ type, name, description, parameters, strict }: z.output<typeof FunctionTool>) =>
  ({ type, name, description: description ?? null, parameters: parameters ?? null, strict: strict ?? null }) as const
