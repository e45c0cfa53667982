import { appendFile } from 'node:fs/promises'
import { JsonTraceSerializer } from '@opentelemetry/otlp-transformer'
import type { SpanExporter } from '@opentelemetry/sdk-trace'

/** Appends each batch as one line of OTLP JSON (OpenTelemetry Protocol File Exporter); several processes may write to one file. */
export const fileExporter = (path: string): SpanExporter => ({
  export(spans, done) {
    const line = `${new TextDecoder().decode(JsonTraceSerializer.serializeRequest(spans))}\n`
    appendFile(path, line, { mode: 0o600 }).then(
      () => done({ code: 0 }),
      (error: Error) => done({ code: 1, error }),
    )
  },
  shutdown: async () => {},
})
