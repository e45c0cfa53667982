import type { ModelCallContent, PromptMessage } from '@youworker/contracts/agent/run-steps'
import { bytesOf, clipArgs, clipBytes } from '../clip.ts'
import type { ModelMessage, ModelToolCall } from '../models/model-port.ts'
import { withoutImages } from '../models/vision.ts'
import type { LoadedRun } from '../runs/load-run.ts'
import type { PromptRef, StoredCall, StoredPrompt } from './call-record.ts'

/** Bytes of JSON: the longest call must fit into one reply. */
const SHOWN = { prompt: 192 * 1024, system: 64 * 1024, text: 96 * 1024, thinking: 48 * 1024, calls: 32 * 1024 } as const
/** Bytes around a message. */
const FRAME = 100

interface Run extends Pick<LoadedRun, 'settings' | 'history' | 'messages'> {
  /** Of the session. */
  readonly messageOf: (id: string) => ModelMessage | undefined
}

/** What a call of the model was given and answered, with what is stored elsewhere put in its place, and bounded. */
export function shownCall(call: StoredCall, run: Run): ModelCallContent {
  const { prompt, text, thinking, tool_calls } = call
  const given = prompt && shownPrompt(prompt, run)
  const calls = shownCalls(tool_calls, SHOWN.calls)
  const response = {
    content: clipBytes(text, SHOWN.text),
    thinking: clipBytes(thinking, SHOWN.thinking),
    tool_calls: calls.shown,
  }
  const isCut =
    call.cut === true ||
    given?.isCut === true ||
    calls.isCut ||
    response.content.length < text.length ||
    response.thinking.length < thinking.length
  return { prompt: given?.messages ?? null, tools: [...(prompt?.tools ?? [])], response, cut: isCut }
}

/** The newest messages go first into what is left; those that do not fit are left out. */
function shownPrompt({ system, messages }: StoredPrompt, run: Run): { messages: PromptMessage[]; isCut: boolean } {
  const find = finderOf(run)
  const told = [system, run.settings.instructions].filter((text) => text !== '').join('\n\n')
  const shownSystem = clipBytes(told, SHOWN.system)
  let left = SHOWN.prompt - bytesOf(shownSystem)
  let isCut = shownSystem.length < told.length
  const shown: PromptMessage[] = []
  for (const part of messages.toReversed()) {
    const message = 'content' in part ? part : find(part)
    const fitting = message && left > FRAME ? fitMessage(message, left) : undefined
    isCut ||= !fitting || fitting.isCut
    if (!fitting) continue
    left -= bytesOf(fitting.message)
    shown.unshift(fitting.message)
  }
  return { messages: [...(told === '' ? [] : [{ role: 'system' as const, content: shownSystem }]), ...shown], isCut }
}

const finderOf =
  ({ history, messages, messageOf }: Run) =>
  (ref: PromptRef): ModelMessage | undefined => {
    if ('turn' in ref) return messages[ref.turn]
    return 'sent' in ref ? history[ref.sent] : messageOf(ref.message)
  }

function fitMessage(message: ModelMessage, bytes: number): { message: PromptMessage; isCut: boolean } {
  const { role } = message
  const content = withoutImages([message])[0]?.content ?? ''
  const calls = role === 'assistant' && message.tool_calls?.length ? shownCalls(message.tool_calls, bytes / 2) : undefined
  const left = Math.floor(bytes - FRAME - (calls ? bytesOf(calls.shown) : 0))
  const shown = clipBytes(content, Math.max(left, FRAME))
  const more = role === 'tool' ? { tool_name: message.tool_name } : calls ? { tool_calls: calls.shown } : {}
  return { message: { role, content: shown, ...more }, isCut: shown.length < content.length || calls?.isCut === true }
}

function shownCalls(calls: readonly ModelToolCall[], bytes: number): { shown: ModelToolCall[]; isCut: boolean } {
  if (bytesOf(calls) <= bytes) return { shown: [...calls], isCut: false }
  const each = Math.floor(bytes / calls.length) - FRAME
  return {
    shown: calls.map(({ name, arguments: args }) => ({ name: clipBytes(name, FRAME), arguments: clipArgs(args, each) })),
    isCut: true,
  }
}
