import { readFile, stat } from 'node:fs/promises'
import { z } from 'zod'
import { questionOf, splitBegun } from './answer.ts'
import type { Message } from './wire.ts'

const Tokens = z.number().int().min(0).max(1_000_000)

/** Which requests a rule is for; without any field: all. */
const Match = z.strictObject({
  endpoint: z.enum(['chat', 'embed']).default('chat'),
  /** The n-th request of the endpoint since the script was read, from 1. */
  request: z.number().int().min(1).optional(),
  /** A substring of the last user message (chat) or of an input (embed). */
  contains: z.string().optional(),
  /** Role of the last message, an answer begun at the end not counted. */
  last_role: z.enum(['system', 'user', 'assistant', 'tool']).optional(),
})

/** What is done instead of, or to, the answer. Counts are tokens of the answer that were sent before. */
const ScriptedReply = z.strictObject({
  /** The whole answer; what an answer begun at the end already holds is not repeated. */
  text: z.string().optional(),
  /** Sent before `text`. */
  tool_calls: z.array(z.strictObject({ name: z.string(), arguments: z.record(z.string(), z.unknown()).default({}) })).optional(),
  /** Answers with the roles and contents it was given, as JSON. */
  echo: z.boolean().default(false),
  /** Never ends: the answer over and over. */
  endless: z.boolean().default(false),
  tokens_per_second: z.number().min(0).optional(),
  /** An HTTP status instead of an answer. */
  status: z.number().int().min(400).max(599).optional(),
  /** Says nothing more after so many tokens: for `stall_ms`, else for ever. */
  stall_after: Tokens.optional(),
  stall_ms: z.number().int().min(0).optional(),
  /** One line that is no JSON, after so many tokens. */
  malformed_after: Tokens.optional(),
  /** The connection is cut after so many tokens. */
  drop_after: Tokens.optional(),
})
export type ScriptedReply = z.output<typeof ScriptedReply>

/** OFFLINE_MODEL__SCRIPT: the first rule that matches and is not used up decides; without one the model answers as ever. */
const Script = z.strictObject({
  rules: z
    .array(
      z.strictObject({ match: Match.prefault({}), times: z.number().int().min(1).optional(), reply: ScriptedReply.prefault({}) }),
    )
    .max(1_000),
})
type Rule = z.output<typeof Script>['rules'][number]

interface Asked {
  readonly endpoint: 'chat' | 'embed'
  readonly text: string
  readonly lastRole?: Message['role'] | undefined
}

export const askedInChat = (messages: readonly Message[]): Asked => ({
  endpoint: 'chat',
  text: questionOf(messages),
  lastRole: splitBegun(messages).conversation.at(-1)?.role,
})

/** The rules of a file, read again when it changes, so that a running system can be given other ones. */
export class ScriptFile {
  readonly #path: string | undefined
  #version = ''
  #rules: readonly Rule[] = []
  #used = new Map<Rule, number>()
  #requests = { chat: 0, embed: 0 }

  constructor(path: string | undefined) {
    this.#path = path
  }

  /** Throws when the file is not there or is no script. */
  async refresh(): Promise<void> {
    if (this.#path === undefined) return
    const { mtimeMs, size, ino } = await stat(this.#path)
    const version = `${mtimeMs} ${size} ${ino}`
    if (version === this.#version) return
    const script = Script.safeParse(JSON.parse(await readFile(this.#path, 'utf8')))
    // Another request may have read it meanwhile and begun to count.
    if (version === this.#version) return
    if (!script.success) throw new Error(`OFFLINE_MODEL__SCRIPT ${this.#path} is no script: ${z.prettifyError(script.error)}`)
    this.#version = version
    this.#rules = script.data.rules
    this.#used = new Map()
    this.#requests = { chat: 0, embed: 0 }
  }

  /** What to do with a request; counts it. */
  async next(asked: Asked): Promise<ScriptedReply | undefined> {
    await this.refresh()
    const nth = (this.#requests[asked.endpoint] += 1)
    const rule = this.#rules.find(
      (candidate) => matches(candidate, asked, nth) && (this.#used.get(candidate) ?? 0) < (candidate.times ?? Infinity),
    )
    if (rule === undefined) return undefined
    this.#used.set(rule, (this.#used.get(rule) ?? 0) + 1)
    return rule.reply
  }
}

function matches({ match }: Rule, asked: Asked, nth: number): boolean {
  return (
    match.endpoint === asked.endpoint &&
    (match.request === undefined || match.request === nth) &&
    (match.contains === undefined || asked.text.includes(match.contains)) &&
    (match.last_role === undefined || match.last_role === asked.lastRole)
  )
}
