import { ModelError } from '@youworker/runtime/model-error'
import { linesOf } from './lines-of.ts'

/**
 * NDJSON, line by line. A line that is no JSON object, has no end or reports an error fails the stream once the lines before it were
 * read: the library would drop it silently.
 */
export const checkedLines = (body: ReadableStream<Uint8Array>): ReadableStream<Uint8Array> => ReadableStream.from(readLines(body))

async function* readLines(body: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const lines of linesOf(body)) yield* checked(lines)
}

/** Yields the good lines together. */
function* checked(lines: readonly string[]): Generator<Uint8Array> {
  let good = ''
  for (const line of lines) {
    if (line.trim() === '') continue
    const fault = faultOf(line)
    if (fault === undefined) good += `${line}\n`
    else {
      if (good !== '') yield Buffer.from(good)
      throw fault
    }
  }
  if (good !== '') yield Buffer.from(good)
}

function faultOf(line: string): ModelError | undefined {
  const value = parseObject(line)
  if (!value) return new ModelError('failed', 'The model sent a line that is no JSON.')
  if (typeof value['error'] !== 'string') return undefined
  return new ModelError('failed', 'The model gave up in the middle of its answer.', undefined, value['error'])
}

function parseObject(line: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}
