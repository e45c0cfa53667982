import type { Attributes as OtelAttributes, Tracer } from '@opentelemetry/api'
import type { ReadableSpan, SpanExporter } from '@opentelemetry/sdk-trace'
import type { Logger } from '../logger.ts'
import { Sampler } from '../timing/sampler.ts'
import { settledWithin } from '../timing/settled-within.ts'
import { type Span, type SpanStart, useTracer } from './span.ts'

export interface TracingOptions {
  /** `service.name` of the spans. */
  readonly service: string
  /** Base URL of an OTLP/HTTP receiver. */
  readonly endpoint: string | undefined
  /** `name=value,name=value` */
  readonly headers: string
  readonly file: string | undefined
  /** Share of the traces that begin here, 0 to 1. */
  readonly share: number
  readonly logger: Logger
}

const EXPORT_EVERY_MS = 1_000
const EXPORT_MS = 5_000
/** Spans that wait for their export; those after them are dropped. */
const MAX_WAITING = 4_096
const LAST_EXPORT_MS = 2_000
const MAX_VALUE = 2_000

/**
 * Records spans and exports them, until it is disposed. Without `endpoint` and `file` it does nothing and loads nothing of
 * OpenTelemetry.
 */
export async function startTracing(options: TracingOptions): Promise<AsyncDisposable> {
  const { service, share } = options
  const inner = await exporterOf(options)
  if (!inner) return { [Symbol.asyncDispose]: async () => {} }
  const [api, sdk, { resourceFromAttributes }] = await Promise.all([
    import('@opentelemetry/api'),
    import('@opentelemetry/sdk-trace'),
    import('@opentelemetry/resources'),
  ])
  const exporter = telling(inner, options.logger)
  const batches = { maxQueueSize: MAX_WAITING, scheduledDelayMillis: EXPORT_EVERY_MS, exportTimeoutMillis: EXPORT_MS }
  const provider = new sdk.TracerProvider({
    resource: resourceFromAttributes({ 'service.name': service, 'service.namespace': 'youworker' }),
    sampler: new sdk.ParentBasedSampler({ root: new sdk.TraceIdRatioBasedSampler(share) }),
    spanLimits: { attributeValueLengthLimit: MAX_VALUE },
    spanProcessors: [new sdk.BatchSpanProcessor({ exporter, ...batches })],
  })
  useTracer(tracerOf(api, provider.getTracer('youworker')))
  return {
    async [Symbol.asyncDispose]() {
      useTracer(undefined)
      await settledWithin(LAST_EXPORT_MS, provider.shutdown())
    },
  }
}

async function exporterOf({ endpoint, headers, file }: TracingOptions): Promise<SpanExporter | undefined> {
  if (endpoint !== undefined) {
    const { OTLPTraceExporter } = await import('@opentelemetry/exporter-trace-otlp-proto')
    return new OTLPTraceExporter({
      url: `${endpoint.replace(/\/$/, '')}/v1/traces`,
      headers: headersIn(headers),
      timeoutMillis: EXPORT_MS,
    })
  }
  if (file === undefined) return undefined
  const { fileExporter } = await import('./file-exporter.ts')
  return fileExporter(file)
}

function headersIn(text: string): Record<string, string> {
  const pairs = text.split(',').map((pair) => /^\s*([\w-]+)=(.*)$/.exec(pair))
  return Object.fromEntries(pairs.flatMap((pair) => (pair ? [[pair[1] ?? '', (pair[2] ?? '').trim()]] : [])))
}

/** A failed export is told once a minute: nobody would see that all spans are lost. */
function telling(exporter: SpanExporter, logger: Logger): SpanExporter {
  const told = new Sampler({ windowMs: 60_000, perGroup: 1, total: 1 })
  return {
    export: (spans: ReadableSpan[], done) =>
      exporter.export(spans, (result) => {
        const { error } = result
        if (error && told.take('', '')) logger.warn({ err: error, spans: spans.length }, 'spans could not be exported')
        done(result)
      }),
    shutdown: () => exporter.shutdown(),
    forceFlush: async () => exporter.forceFlush?.(),
  }
}

const tracerOf =
  ({ ROOT_CONTEXT, SpanKind, SpanStatusCode, trace }: typeof import('@opentelemetry/api'), tracer: Tracer) =>
  ({ kind, name, parent, attributes = {} }: SpanStart): Span => {
    const context = parent === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, contextOf(parent))
    const kinds = { server: SpanKind.SERVER, client: SpanKind.CLIENT, consumer: SpanKind.CONSUMER, internal: SpanKind.INTERNAL }
    const span = tracer.startSpan(name, { kind: kinds[kind], attributes: given(attributes) }, context)
    const { traceId, spanId, traceFlags } = span.spanContext()
    return {
      traceparent: `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`,
      end({ name: better, error, attributes: more } = {}) {
        if (better !== undefined) span.updateName(better)
        if (more) span.setAttributes(given(more))
        if (error !== undefined) {
          span.setStatus({ code: SpanStatusCode.ERROR })
          span.setAttribute('error.type', error)
        }
        span.end()
      },
    }
  }

const given = (attributes: NonNullable<SpanStart['attributes']>): OtelAttributes =>
  Object.fromEntries(Object.entries(attributes).filter(([, value]) => value !== undefined))

const contextOf = (traceparent: string) => ({
  traceId: traceparent.slice(3, 35),
  spanId: traceparent.slice(36, 52),
  traceFlags: Number.parseInt(traceparent.slice(53, 55), 16),
  isRemote: true,
})
