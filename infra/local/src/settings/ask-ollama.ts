import { z } from 'zod'

const ASK_MS = 4_000
const Tags = z.object({ models: z.array(z.object({ name: z.string() })) })

interface Wanted {
  readonly url: string
  readonly chatModel: string | undefined
  readonly embedModel: string
  /** Another server answers; this one only embeds. */
  readonly answersElsewhere: boolean
}

/** What keeps Ollama from answering, each with the command that mends it. Empty when nothing does. */
export async function askOllama({ url, chatModel, embedModel, answersElsewhere }: Wanted): Promise<string[]> {
  let names: string[]
  try {
    names = await modelNames(url)
  } catch (error) {
    const reason = error instanceof Error ? reasonOf(error) : String(error)
    return [
      `LLM__OLLAMA_BASE_URL: Ollama at ${url} does not answer (${reason}); start it with: ollama serve, or correct the URL. Unset, a built-in model answers`,
    ]
  }
  const has = (model: string) => names.includes(model) || names.includes(`${model}:latest`)
  const missing = (setting: string, model: string) =>
    `${setting}: Ollama at ${url} does not have ${model}; get it with: ollama pull ${model}`
  const faults = has(embedModel) ? [] : [missing('LLM__EMBED_MODEL', embedModel)]
  if (answersElsewhere) return faults
  if (chatModel !== undefined && !has(chatModel)) faults.unshift(missing('LLM__CHAT_MODEL', chatModel))
  if (chatModel === undefined && !names.some((name) => !/embed/i.test(name)))
    faults.unshift(`LLM__CHAT_MODEL: Ollama at ${url} has no model for answers; get one with: ollama pull llama3.2`)
  return faults
}

async function modelNames(url: string): Promise<string[]> {
  const response = await fetch(`${url.replace(/\/$/, '')}/api/tags`, { signal: AbortSignal.timeout(ASK_MS) })
  if (!response.ok) throw new Error(`/api/tags answers ${response.status}, so it may be another server`)
  const tags = Tags.safeParse(await response.json().catch(() => undefined))
  if (!tags.success) throw new Error('/api/tags is not the answer of Ollama, so it may be another server')
  return tags.data.models.map(({ name }) => name)
}

/** fetch says only `fetch failed`; what happened stands in its cause. */
function reasonOf(error: Error): string {
  if (error.name === 'TimeoutError') return `no answer in ${ASK_MS / 1_000} s`
  const { cause } = error
  return cause instanceof Error && 'code' in cause ? String(cause.code) : error.message
}
