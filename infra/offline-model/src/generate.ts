import { once } from 'node:events'
import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises'
import type { Reply } from './answer.ts'
import type { ScriptedReply } from './script.ts'
import { tokensOf } from './tokens.ts'

export interface Generation {
  readonly reply: Reply
  /** 0 sends the answer without pauses. */
  readonly tokensPerSecond: number
  readonly maxTokens: number
  readonly faults: ScriptedReply | undefined
}

export type Step =
  | { readonly kind: 'thought'; readonly text: string }
  | { readonly kind: 'token'; readonly text: string }
  | { readonly kind: 'calls'; readonly calls: Reply['toolCalls'] }
  | { readonly kind: 'malformed' }
  | { readonly kind: 'drop' }
  | { readonly kind: 'end'; readonly reason: 'stop' | 'length'; readonly tokens: number }

const BATCH = 256

/** Yields the answer token by token at the given speed, with the script's faults. A batch holds all steps that are due at once. */
export async function* generate(generation: Generation, signal: AbortSignal): AsyncGenerator<readonly Step[]> {
  const { reply, tokensPerSecond, maxTokens, faults } = generation
  const endless = faults?.endless ?? false
  const text = tokensOf(reply.text)
  const tokens = endless && text.length === 0 ? ['…'] : text
  const thoughts = tokensOf(faults?.thinking ?? '').map((thought) => ({ kind: 'thought', text: thought }) as const)
  const together = tokensPerSecond === 0 ? BATCH : 1
  for (let count = 0; count < thoughts.length; count += together) {
    yield thoughts.slice(count, count + together)
    await (tokensPerSecond === 0 ? turn(undefined, { signal }) : sleep(1_000 / tokensPerSecond, undefined, { signal }))
  }
  let start = performance.now()
  let batch: Step[] = reply.toolCalls.length > 0 ? [{ kind: 'calls', calls: reply.toolCalls }] : []

  for (let count = 0; ; count += 1) {
    if (faults?.stall_after === count) {
      yield batch
      batch = []
      const since = performance.now()
      await stall(faults.stall_ms, signal)
      start += performance.now() - since
    }
    if (faults?.malformed_after === count) batch.push({ kind: 'malformed' })
    if (faults?.drop_after === count) return yield [...batch, { kind: 'drop' }]
    const token = tokens[endless ? count % tokens.length : count]
    if (token === undefined || count >= maxTokens) {
      return yield [...batch, { kind: 'end', reason: token === undefined ? 'stop' : 'length', tokens: count }]
    }
    const wait = tokensPerSecond === 0 ? 0 : start + (count * 1_000) / tokensPerSecond - performance.now()
    if (wait > 0 || batch.length >= BATCH) {
      yield batch
      batch = []
      await (wait > 0 ? sleep(wait, undefined, { signal }) : turn(undefined, { signal }))
    }
    batch.push({ kind: 'token', text: token })
  }
}

async function stall(ms: number | undefined, signal: AbortSignal): Promise<void> {
  if (ms !== undefined) await sleep(ms, undefined, { signal })
  else if (!signal.aborted) await once(signal, 'abort')
  signal.throwIfAborted()
}
