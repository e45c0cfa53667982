import { readFile, stat } from 'node:fs/promises'
import { z } from 'zod'
import { questionOf, splitBegun } from './answer.ts'
import type { Message } from './wire.ts'

const Tokens = z.number().int().min(0).max(1_000_000)

/** The requests that a rule applies to. A missing field matches any request. */
const Match = z.strictObject({
  endpoint: z.enum(['chat', 'embed']).default('chat'),
  /** The n-th request of the endpoint since the script was read, from 1. */
  request: z.number().int().min(1).optional(),
  /** A substring of the last user message (chat) or of an input (embed). */
  contains: z.string().optional(),
  /** Role of the last message before a begun answer. */
  last_role: z.enum(['system', 'user', 'assistant', 'tool']).optional(),
})

/** Replaces or disturbs the answer. `*_after` fields count the tokens sent before the fault. */
const ScriptedReply = z.strictObject({
  /** What it says that it thinks, before anything else. */
  thinking: z.string().optional(),
  /** The whole answer. A begun answer is continued, not repeated. */
  text: z.string().optional(),
  /** Sent before `text`. */
  tool_calls: z.array(z.strictObject({ name: z.string(), arguments: z.record(z.string(), z.unknown()).default({}) })).optional(),
  /** Answers with the roles and contents of the request's messages, as JSON. */
  echo: z.boolean().default(false),
  /** Repeats the answer without end. */
  endless: z.boolean().default(false),
  tokens_per_second: z.number().min(0).optional(),
  /** Responds with this HTTP status instead of an answer. */
  status: z.number().int().min(400).max(599).optional(),
  /** Pauses after this many tokens, for `stall_ms` or, without it, for ever. */
  stall_after: Tokens.optional(),
  stall_ms: z.number().int().min(0).optional(),
  /** Sends a line of invalid JSON after this many tokens. */
  malformed_after: Tokens.optional(),
  /** Cuts the connection after this many tokens. */
  drop_after: Tokens.optional(),
})
export type ScriptedReply = z.output<typeof ScriptedReply>

/** Content of OFFLINE_MODEL__SCRIPT. The first matching rule with uses left (`times`) applies; without one the model answers normally. */
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

/** Reads the rules of a script file, and again whenever it changes, so that tests can change the rules of a running system. */
export class ScriptFile {
  readonly #path: string | undefined
  #version = ''
  #rules: readonly Rule[] = []
  #used = new Map<Rule, number>()
  #requests = { chat: 0, embed: 0 }

  constructor(path: string | undefined) {
    this.#path = path
  }

  /** Throws when the file is missing or invalid. */
  async refresh(): Promise<void> {
    if (this.#path === undefined) return
    const { mtimeMs, size, ino } = await stat(this.#path)
    const version = `${mtimeMs} ${size} ${ino}`
    if (version === this.#version) return
    const script = Script.safeParse(JSON.parse(await readFile(this.#path, 'utf8')))
    // A concurrent request may have read this version meanwhile; its counts must not be reset.
    if (version === this.#version) return
    if (!script.success) throw new Error(`OFFLINE_MODEL__SCRIPT ${this.#path} is no script: ${z.prettifyError(script.error)}`)
    this.#version = version
    this.#rules = script.data.rules
    this.#used = new Map()
    this.#requests = { chat: 0, embed: 0 }
  }

  /** Counts the request and returns the reply of the rule that applies. */
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
