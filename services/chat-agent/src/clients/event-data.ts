import { linesOf } from './lines-of.ts'

/** The data of server-sent events (WHATWG HTML section 9.2.6) of one line each, as model servers send them. */
export async function* eventData(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  for await (const lines of linesOf(body))
    for (const line of lines) if (line.startsWith('data:')) yield line.slice('data:'.length).trim()
}
