import { AppError } from '@youworker/contracts/errors'

const SETTING = 'Whoever runs this system: look at LLM__QDRANT_URL and at Qdrant itself'

/** What Qdrant did not do. Its own words are in the cause, for root and logs. */
export class QdrantError extends AppError {
  /** Of its answer; `undefined` when there was none. */
  readonly status: number | undefined
  /** Qdrant itself is to blame, and not what it was asked. */
  readonly isDown: boolean

  constructor(message: string, { status, isDown, cause }: { status?: number | undefined; isDown: boolean; cause: unknown }) {
    super('SERVICE_UNAVAILABLE', message, { retryAfter: 5, cause })
    this.status = status
    this.isDown = isDown
  }
}

/** The collection, or what was asked for in it, is not there. */
export const isMissing = (error: unknown): boolean => error instanceof QdrantError && error.status === 404

/** `silentFor`: the ms after which it was waited no longer. */
export function qdrantError(error: unknown, url: string, silentFor: number | undefined): QdrantError {
  const status = statusOf(error)
  const cause = new Error(`Qdrant at ${url}: ${saidBy(error)}`, { cause: error })
  if (silentFor !== undefined)
    return new QdrantError(`The search index (Qdrant) did not answer in ${silentFor / 1_000} s; ${LATER}`, {
      isDown: true,
      cause,
    })
  if (status === 401 || status === 403) {
    const message = 'The search index (Qdrant) refuses the key of this system. Whoever runs it: set LLM__QDRANT_API_KEY'
    return new QdrantError(message, { status, isDown: false, cause })
  }
  if (status === undefined)
    return new QdrantError(`The search index (Qdrant) cannot be reached; ${LATER}`, { isDown: true, cause })
  if (status === 429)
    return new QdrantError('The search index (Qdrant) has too much to do; try again in 5 s', { status, isDown: false, cause })
  const did = status >= 500 ? 'failed' : 'refused a request'
  return new QdrantError(`The search index (Qdrant) ${did} (HTTP ${status}). ${SETTING}`, {
    status,
    isDown: status >= 500,
    cause,
  })
}

const LATER = `documents are kept and can be found when it is back. ${SETTING}`

/** What answers, but not as Qdrant does. */
export const notQdrant = (url: string, cause: unknown): QdrantError =>
  new QdrantError('What answers at LLM__QDRANT_URL is not Qdrant. Whoever runs this system: correct the address', {
    isDown: false,
    cause: new Error(`the server at ${url}`, { cause }),
  })

/** The library's errors carry the HTTP status; that of too many requests does not. */
function statusOf(error: unknown): number | undefined {
  if (!(error instanceof Error)) return undefined
  if (error.name === 'QdrantClientResourceExhaustedError') return 429
  return 'status' in error && typeof error.status === 'number' ? error.status : undefined
}

const MOST_SAID = 300

/** Qdrant says what is wrong in `status.error`. */
function saidBy(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const data: unknown = 'data' in error ? error.data : undefined
  if (data === undefined) return error.message
  return JSON.stringify(data).slice(0, MOST_SAID)
}
