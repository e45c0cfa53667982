import type { ChatInput } from '@youworker/contracts/agent/chat-input'
import { AppError } from '@youworker/contracts/errors'
import { LIMITS } from '@youworker/contracts/limits'
import { cleanText } from '@youworker/runtime/text/text'

export interface Turn {
  readonly role: 'user' | 'assistant'
  readonly content: string
}

const TITLE = 80

/** The text to answer, and the turns before it, which are stored only in a new session. System turns are dropped. */
export function readTurns({ text_input, messages = [] }: Pick<ChatInput, 'text_input' | 'messages'>): {
  text: string
  earlier: Turn[]
} {
  const turns = messages.flatMap(({ role, content }) => (role === 'system' || content.trim() === '' ? [] : [{ role, content }]))
  for (const { content } of turns) checkSize(content)
  const last = turns.findLastIndex(({ role }) => role === 'user')
  const lastText = turns[last]?.content
  const text = text_input ?? lastText
  if (text === undefined)
    throw new AppError('VALIDATION_ERROR', 'Send text_input, or messages with a user turn that is not blank')
  checkSize(text)
  const endsWithText = lastText === text && last >= 0
  return { text, earlier: endsWithText ? turns.slice(0, last) : turns }
}

function checkSize(text: string): void {
  if (Buffer.byteLength(text) <= LIMITS.message) return
  throw new AppError('PAYLOAD_TOO_LARGE', `A message is at most ${LIMITS.message} bytes; send long texts as documents`)
}

/** The first line that is not blank. */
export function titleOf(text: string): string {
  const line = text.split('\n').find((candidate) => candidate.trim() !== '') ?? ''
  return cleanText(line, { lines: 'join', max: TITLE, mark: '…' })
}
