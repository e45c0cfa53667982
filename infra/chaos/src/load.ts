import { setTimeout as sleep } from 'node:timers/promises'

export interface Answer {
  /** HTTP status, or why there was none. */
  readonly outcome: number | string
  readonly ms: number
  /** When it came, in ms since the process began. */
  readonly at: number
}

const PAUSE_MS = 50
/** Longer than any request may take, so that a hang is seen as one. */
const GIVE_UP_MS = 30_000

const REQUESTS: readonly ((headers: Record<string, string>) => [path: string, init: RequestInit])[] = [
  (headers) => ['/v1/groups', { headers }],
  (headers) => ['/v1/sessions', { method: 'POST', headers, body: '{"title":"chaos"}' }],
  (headers) => ['/v1/search', { method: 'POST', headers, body: '{"query":"anything"}' }],
  ({ 'x-api-key': key = '' }) => {
    const body = new FormData()
    body.append('wait', 'false')
    body.append('files', new Blob([`# Note\n\n${crypto.randomUUID()}`]), `${crypto.randomUUID()}.md`)
    return ['/v1/ingest/upload', { method: 'POST', headers: { 'x-api-key': key }, body }]
  },
]

/** Sends reads, writes, searches and uploads one after another until stopped; several may run side by side. */
export async function load(api: string, key: string, stop: AbortSignal, answers: Answer[]): Promise<void> {
  const headers = { 'x-api-key': key, 'content-type': 'application/json' }
  for (let turn = 0; !stop.aborted; turn += 1) {
    const request = REQUESTS[turn % REQUESTS.length]
    if (!request) return
    const [path, init] = request(headers)
    const began = performance.now()
    const outcome = await fetch(`${api}${path}`, { ...init, signal: AbortSignal.timeout(GIVE_UP_MS) }).then(
      async (response) => {
        await response.arrayBuffer()
        return response.status
      },
      (error: unknown) => `${path}: ${error instanceof Error ? error.name : String(error)}`,
    )
    const at = performance.now()
    answers.push({ outcome, ms: at - began, at })
    await sleep(PAUSE_MS)
  }
}
