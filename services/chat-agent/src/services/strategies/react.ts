import type { ModelCall, ModelMessage, ModelTool, ModelToolCall } from '../models/model-port.ts'
import { MARK, readReact } from './react-reader.ts'
import { CITE, USE_TOOLS } from './rules.ts'
import type { Strategy } from './strategy.ts'

/** Most stop texts that every model server takes. */
const MAX_STOPS = 4
const STOP = `\n${MARK.observation}`

/**
 * For models that cannot call tools by themselves: they write a call as text and read its result as the next message (ReAct,
 * https://arxiv.org/abs/2210.03629).
 */
export const react: Strategy = {
  offersTools: true,
  prompt: (tools, plain) => (tools.length === 0 ? '' : [...(plain ? [] : [USE_TOOLS, CITE]), form(tools)].join('\n')),
  opening: () => [],
  asked: asText,
  read: readReact,
}

const form = (tools: readonly ModelTool[]) => `You have these tools:
${tools.map(({ name, description, parameters }) => `- ${name}: ${description} Input, as JSON Schema: ${JSON.stringify(parameters)}`).join('\n')}
To use one, write these three lines and then stop; you are given its result behind "${MARK.observation}".
${MARK.thought} why you use it
${MARK.action} the name of the tool
${MARK.input} one JSON object
When you know enough, write your answer like this:
${MARK.answer} your answer`

function asText(call: ModelCall): ModelCall {
  if (call.tools.length === 0) return call
  const { stop = [] } = call.parameters
  const parameters = stop.length < MAX_STOPS ? { ...call.parameters, stop: [...stop, STOP] } : call.parameters
  return { ...call, parameters, tools: [], messages: call.messages.map(messageAsText) }
}

/** The model has to find its own words in the form that it was told. */
function messageAsText(message: ModelMessage): ModelMessage {
  if (message.role === 'tool') return { role: 'user', content: `${MARK.observation} ${message.content}` }
  if (message.role !== 'assistant') return message
  const { content, tool_calls = [] } = message
  if (tool_calls.length === 0) return { role: 'assistant', content: `${MARK.answer} ${content}` }
  return { role: 'assistant', content: [...(content === '' ? [] : [content]), ...tool_calls.map(callAsText)].join('\n') }
}

const callAsText = ({ name, arguments: args }: ModelToolCall) => `${MARK.action} ${name}\n${MARK.input} ${JSON.stringify(args)}`
