import { ModelError } from '@youworker/runtime/model-error'

const MAX_LINE = 4 * 1024 * 1024

/** The data of server-sent events (WHATWG HTML section 9.2.6) of one line each, as model servers send them. */
export async function* eventData(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const chunk of body) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n')
    rest = lines.pop() ?? ''
    if (rest.length > MAX_LINE) throw new ModelError('failed', 'The model sent a line without end.')
    yield* dataIn(lines)
  }
  yield* dataIn([rest])
}

function* dataIn(lines: readonly string[]): Generator<string> {
  for (const line of lines) if (line.startsWith('data:')) yield line.slice('data:'.length).trim()
}
