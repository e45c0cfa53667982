import { z } from 'zod'

const ASK_MS = 4_000
const OLDEST = { major: 1, minor: 15 }
const Root = z.object({ title: z.string(), version: z.string() })
const SETTING = 'LLM__QDRANT_URL'
const WITHOUT = 'Unset, the search index is files of this machine, and needs no server'

/** What keeps Qdrant from keeping the search index, with what mends it; `undefined` when nothing does. */
export async function askQdrant(url: string, apiKey: string | undefined): Promise<string | undefined> {
  const base = url.replace(/\/+$/, '')
  const headers = apiKey === undefined ? {} : { 'api-key': apiKey }
  const at = `Qdrant at ${url}`
  try {
    const signal = AbortSignal.timeout(ASK_MS)
    const response = await fetch(`${base}/`, { headers, signal })
    const root = Root.safeParse(await response.json().catch(() => undefined))
    if (!root.success || !/qdrant/i.test(root.data.title))
      return `${SETTING}: what answers at ${url} is not Qdrant; correct the address. ${WITHOUT}`
    const { version } = root.data
    if (!isRecent(version))
      return `${SETTING}: ${at} is ${version}; update it to ${OLDEST.major}.${OLDEST.minor} or later. ${WITHOUT}`
    // The root answers without a key.
    const { status } = await fetch(`${base}/collections`, { headers, signal })
    if (status !== 401 && status !== 403) return undefined
    return apiKey === undefined
      ? `LLM__QDRANT_API_KEY: ${at} wants a key; set it`
      : `LLM__QDRANT_API_KEY: ${at} refuses this key; correct it`
  } catch (error) {
    return `${SETTING}: ${at} does not answer (${reasonOf(error)}); start it, as with: docker compose --profile qdrant up -d qdrant, or correct the URL. ${WITHOUT}`
  }
}

function isRecent(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map((part) => Number.parseInt(part, 10))
  return major > OLDEST.major || (major === OLDEST.major && minor >= OLDEST.minor)
}

/** fetch says only `fetch failed`; what happened stands in its cause. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if (error.name === 'TimeoutError') return `no answer in ${ASK_MS / 1_000} s`
  const { cause } = error
  return cause instanceof Error && 'code' in cause ? String(cause.code) : error.message
}
