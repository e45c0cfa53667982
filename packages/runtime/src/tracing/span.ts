import { newTraceparent } from '../correlation.ts'
import { currentRequest, inRequest } from '../current-request.ts'

export interface SpanStart {
  readonly kind: 'server' | 'client' | 'consumer' | 'internal'
  /** Of few values: a route, a subject, a model, never an id. */
  readonly name: string
  readonly parent?: string | undefined
  readonly attributes?: Attributes
}

/** Ids, counts and names of ours, never what a user wrote. */
type Attributes = Readonly<Record<string, string | number | boolean | undefined>>

interface SpanEnd {
  /** Replaces the first name, when more is known. */
  readonly name?: string
  /** A code or the name of a class: messages may quote users. */
  readonly error?: string | undefined
  readonly attributes?: Attributes
}

export interface Span {
  /** W3C Trace Context, for what is called meanwhile. */
  readonly traceparent: string
  end(end?: SpanEnd): void
}

type Tracer = (start: SpanStart) => Span

let tracer: Tracer | undefined

/** From now on spans are recorded with `next`, or not at all. */
export function useTracer(next: Tracer | undefined): void {
  tracer = next
}

/** For callers to whom even the description of a span is a cost. */
export const isTracing = (): boolean => tracer !== undefined

/** Without a tracer nothing is recorded, and the parent is passed on. */
export const startSpan = (start: SpanStart): Span =>
  tracer ? tracer(start) : { traceparent: start.parent ?? newTraceparent(), end: () => {} }

/** Runs `work` in a span of the current request, if there is one: what processes do by themselves is not traced. */
export function traced<T>(start: Omit<SpanStart, 'parent'>, work: () => Promise<T>): Promise<T> {
  const { traceparent: parent } = currentRequest()
  return tracer === undefined || parent === undefined ? work() : runIn(startSpan({ ...start, parent }), work)
}

async function runIn<T>(span: Span, work: () => Promise<T>): Promise<T> {
  try {
    const result = await inRequest({ traceparent: span.traceparent }, work)
    span.end()
    return result
  } catch (error) {
    span.end({ error: errorName(error) })
    throw error
  }
}

/** What may be told about any error. */
export function errorName(error: unknown): string {
  if (!(error instanceof Error)) return typeof error
  return 'code' in error && typeof error.code === 'string' ? error.code : error.name
}
