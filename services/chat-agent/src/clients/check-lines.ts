import { AppError } from '@youworker/contracts/errors'

const MAX_LINE = 4 * 1024 * 1024

/** Passes NDJSON on line by line. A line that is no JSON, or never ends, breaks the stream: the library would drop it silently. */
export function checkLines(): TransformStream<Uint8Array, Uint8Array> {
  const decoder = new TextDecoder()
  const encoder = new TextEncoder()
  let rest = ''
  const pass = (line: string, controller: TransformStreamDefaultController<Uint8Array>) => {
    if (line.trim() === '') return
    if (!isObject(line)) throw new AppError('LLM_ERROR', 'The model sent a line that is no JSON.')
    controller.enqueue(encoder.encode(`${line}\n`))
  }
  return new TransformStream({
    transform(chunk, controller) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n')
      rest = lines.pop() ?? ''
      if (rest.length > MAX_LINE) throw new AppError('LLM_ERROR', 'The model sent a line without end.')
      for (const line of lines) pass(line, controller)
    },
    flush(controller) {
      pass(rest + decoder.decode(), controller)
    },
  })
}

function isObject(line: string): boolean {
  try {
    const value: unknown = JSON.parse(line)
    return typeof value === 'object' && value !== null
  } catch {
    return false
  }
}
