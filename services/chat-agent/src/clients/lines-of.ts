import { ModelError } from '@youworker/runtime/model-error'

const MAX_LINE = 4 * 1024 * 1024

/** The lines of an answer of the model, those of one chunk together. The last one may have no end. */
export async function* linesOf(body: ReadableStream<Uint8Array>): AsyncGenerator<readonly string[]> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const chunk of body) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n')
    rest = lines.pop() ?? ''
    if (rest.length > MAX_LINE) throw new ModelError('failed', 'The model sent a line without end.')
    yield lines
  }
  yield [rest + decoder.decode()]
}
