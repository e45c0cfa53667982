import { cleanText, cutText } from '@youworker/runtime/text/text'
import { parsePassages, type Sentence } from './passages.ts'
import { quotesFor } from './quote.ts'
import type { ChatRequest, Message, ToolCall } from './wire.ts'
import { MODEL } from './wire.ts'

export interface Reply {
  readonly text: string
  readonly toolCalls: readonly ToolCall[]
}

export const NOT_FOUND = `The answer was not found in the documents. I am ${MODEL}, a stand-in for a language model: I can only quote sentences, and none shares enough words with the question.`
const INTRODUCTION = `I am ${MODEL}, a stand-in for a language model: I find and quote sentences of your documents, and cannot say anything of my own.`

/** Longest query that a search accepts (`SearchQuery` of the ingestion contract). */
const LONGEST_QUERY = 4_000
const LONGEST_RESULT = 1_000

/** Some are given passages below the question, in the form of a search result. */
const BEFORE_PASSAGES = /\n\n\[\d{1,6}\] /
const SEARCH_TOOL = /knowledge_search$/
const CLOCK_TOOL = /(?:current_?(?:date_?)?time|current_?date|date_?time|get_time)$/i
const ASKS_FOR_NOW = [
  /\bwhat(?:'s|’s|s| is)? (?:the )?(?:current |exact )?(?:time|date)(?: and (?:time|date))?(?: is it)?(?: (?:now|today|right now))?$/i,
  /\bwhat(?:'s|’s|s| is)? (?:the )?(?:time|date)(?: is it)? in [^\d"():;,]{2,40}$/i,
  /\bwhat (?:day|date|time|month|year) is (?:it|today)\b/i,
  /\b(?:current|today's|today’s) (?:date|time)\b/i,
]

/** Answers the last message. When that is an assistant's text, continues it. */
export function answer({ messages, tools }: Pick<ChatRequest, 'messages' | 'tools'>): Reply {
  const { conversation, begun } = splitBegun(messages)
  const reply = answerTo(
    conversation,
    (tools ?? []).map((tool) => tool.function.name),
  )
  return begun === '' ? reply : { text: restOf(reply.text, begun), toolCalls: [] }
}

/** Separates the conversation from a begun answer: an assistant's text as the last message, which the model must continue. */
export function splitBegun(messages: readonly Message[]): { conversation: readonly Message[]; begun: string } {
  const last = messages.at(-1)
  if (last?.role !== 'assistant') return { conversation: messages, begun: '' }
  return { conversation: messages.slice(0, -1), begun: last.content }
}

/** The text of the last user message. */
export const questionOf = (messages: readonly Message[]): string =>
  messages.findLast(({ role }) => role === 'user')?.content ?? ''

function answerTo(conversation: readonly Message[], tools: readonly string[]): Reply {
  const question = questionOf(conversation)
  if (conversation.at(-1)?.role === 'tool') return say(fromTools(question, resultsOf(conversation)))
  const plain = question.replaceAll(/[?!.]/g, ' ').trim()
  const clock = tools.find((name) => CLOCK_TOOL.test(name))
  if (clock !== undefined && ASKS_FOR_NOW.some((pattern) => pattern.test(plain))) return call(clock, {})
  const search = tools.find((name) => SEARCH_TOOL.test(name))
  if (search !== undefined && question.trim() !== '')
    return call(search, { query: cleanText(question.trim(), { max: LONGEST_QUERY }) })
  const [asked = ''] = question.split(BEFORE_PASSAGES)
  const quotes = quotesFor(asked, parsePassages(question))
  return say(quotes.length > 0 ? quoted(quotes) : INTRODUCTION)
}

const quoted = (quotes: readonly Sentence[]): string => quotes.map(({ text, n }) => `${text} [${n}]`).join(' ')

const say = (text: string): Reply => ({ text, toolCalls: [] })
const call = (name: string, args: Record<string, unknown>): Reply => ({
  text: '',
  toolCalls: [{ function: { name, arguments: args } }],
})

/** The tool results since the last user message. */
const resultsOf = (messages: readonly Message[]): Message[] =>
  messages.slice(messages.findLastIndex(({ role }) => role === 'user') + 1).filter(({ role }) => role === 'tool')

function fromTools(question: string, results: readonly Message[]): string {
  const searched = results.filter(isSearchResult)
  const others = results
    .filter((result) => !isSearchResult(result))
    .map(({ content }) => cutText(content.trim(), LONGEST_RESULT, ' …'))
    .filter((text) => text !== '')
  const quotes = quotesFor(
    question,
    searched.flatMap(({ content }) => parsePassages(content)),
  )
  const isNotFound = quotes.length === 0 && (searched.length > 0 || others.length === 0)
  return [...others, isNotFound ? NOT_FOUND : quoted(quotes)].filter((text) => text !== '').join(' ')
}

/** A failed search is repeated like the result of any other tool: "not found in the documents" would be wrong. */
const isSearchResult = ({ tool_name, content }: Message): boolean => {
  if (content.startsWith('Error:')) return false
  return tool_name === undefined ? parsePassages(content).length > 0 : SEARCH_TOOL.test(tool_name)
}

/** The text of `full` after `begun`. When `begun` was changed (a citation number removed), finds its end by its last characters. */
export function restOf(full: string, begun: string): string {
  if (full.startsWith(begun)) return full.slice(begun.length)
  for (let length = Math.min(begun.length, 120); length >= 12; length -= 4) {
    const at = full.indexOf(begun.slice(-length))
    if (at >= 0) return full.slice(at + length)
  }
  return ` ${full}`
}
