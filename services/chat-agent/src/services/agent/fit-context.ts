import { countTokens, cutTokens } from '@youworker/runtime/text/count-tokens'
import type { ModelMessage } from '../models/model-port.ts'
import { estimateMessage, FRAME } from '../models/call-use.ts'
import { evenShare } from '../models/even-share.ts'

/** Tokens that a tool result is cut to once the model has read it. */
const SHORTENED = 100
/** Part of the budget that the newest results keep before older turns are left out for them. */
const NEWEST_SHARE = 0.5
/** What is longer than so many budgets is not counted to its end. */
const MOST_COUNTED = 4
const NOTE = '\n(cut: the conversation is too long)'

interface Conversation {
  readonly system: ModelMessage | undefined
  /** What stands for the turns before `history`. */
  readonly summary?: readonly ModelMessage[] | undefined
  /** Earlier turns, oldest first. */
  readonly history: readonly ModelMessage[]
  /** The user's message and what the run added to it. */
  readonly turn: readonly ModelMessage[]
}

/** A conversation as the model is given it. */
export interface Fitted {
  readonly messages: readonly ModelMessage[]
  /** How many of the earlier messages were left out. */
  readonly omitted: number
  /** The summary is there. */
  readonly isSummarised: boolean
  /** Tokens of the earlier messages that are there. */
  readonly history: number
  readonly budget: number
}

/**
 * The conversation within `budget` tokens. Tool results are cut first: older ones to a few words, then the newest ones, which the model is
 * about to read, to half of the budget. Then the oldest turns are left out, then the summary, and the newest results get what is left.
 */
export function fitContext({ system, summary = [], history, turn }: Conversation, budget: number): Fitted {
  const first = system ? [system] : []
  const space = budget - sumOf(first)
  if (isWithin([...turn, ...summary, ...history.toReversed()], space)) {
    const messages = [...first, ...summary, ...history, ...turn]
    return { messages, omitted: 0, isSummarised: summary.length > 0, history: sumOf(history), budget }
  }
  const newest = newestResults(turn)
  const excess = sumUpTo([...turn, ...summary, ...history.toReversed()], space * MOST_COUNTED) - space
  const shorter = withReadCut([...history, ...turn], newest, excess)
  const [earlier, cut] = [shorter.slice(0, history.length), shorter.slice(history.length)]
  const others = sumOf(cut.filter((message) => !newest.has(message)))
  const before = sumUpTo([...summary, ...earlier.toReversed()], space)
  const most = Math.max(Math.min(space * NEWEST_SHARE, space - others), space - others - before)
  const now = withResults(cut, newest, most)
  let left = space - sumOf(now)
  const isSummarised = summary.length > 0 && isWithin(summary, left)
  if (isSummarised) left -= sumOf(summary)
  const begin = beginOf(earlier, left)
  const kept = earlier.slice(begin)
  const messages = [...first, ...(isSummarised ? summary : []), ...kept, ...now]
  return { messages, omitted: begin, isSummarised, history: sumOf(kept), budget }
}

const sumOf = (messages: readonly ModelMessage[]): number =>
  messages.reduce((total, message) => total + estimateMessage(message), 0)

/** Counts no more messages than it has to. */
function sumUpTo(messages: readonly ModelMessage[], most: number): number {
  let sum = 0
  for (const message of messages) {
    sum += estimateMessage(message)
    if (sum > most) break
  }
  return sum
}

const isWithin = (messages: readonly ModelMessage[], most: number): boolean => sumUpTo(messages, most) <= most

/** Where the newest messages that fit begin: with a question. */
function beginOf(history: readonly ModelMessage[], budget: number): number {
  let left = budget
  let begin = history.length
  for (const message of history.toReversed()) {
    left -= estimateMessage(message)
    if (left < 0) break
    begin -= 1
  }
  while (begin < history.length && history[begin]?.role !== 'user') begin += 1
  return begin
}

/** Of the last calls: those that the model is about to read. */
function newestResults(turn: readonly ModelMessage[]): ReadonlySet<ModelMessage> {
  const last = turn.findLastIndex(({ role }) => role === 'tool')
  const before = turn.findLastIndex(({ role }, index) => index < last && role !== 'tool')
  return new Set(turn.slice(before + 1, last + 1))
}

/** Cuts results that the model has read, oldest first, until they have lost `excess` tokens. */
function withReadCut(messages: readonly ModelMessage[], unread: ReadonlySet<ModelMessage>, excess: number): ModelMessage[] {
  let left = excess
  return messages.map((message) => {
    if (left <= 0 || message.role !== 'tool' || unread.has(message)) return message
    const cut = cutTo(message, SHORTENED)
    left -= Math.max(0, estimateMessage(message) - estimateMessage(cut))
    return cut
  })
}

function cutTo(message: ModelMessage, tokens: number): ModelMessage {
  const content = cutTokens(message.content, tokens)
  return content === message.content ? message : { ...message, content: `${content}${NOTE}` }
}

/** Cuts the longest of the results until all of them are within `budget` tokens, or have only a few words. */
function withResults(turn: readonly ModelMessage[], results: ReadonlySet<ModelMessage>, budget: number): ModelMessage[] {
  const share = evenShare(Array.from(results, estimateMessage), budget)
  const most = Math.max(SHORTENED, share - FRAME - countTokens(NOTE))
  return turn.map((message) => (results.has(message) && estimateMessage(message) > share ? cutTo(message, most) : message))
}
