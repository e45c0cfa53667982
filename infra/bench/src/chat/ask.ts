import { type Agent, request } from 'node:http'

/** How a client asks, and where its answer ends. */
export interface Protocol {
  readonly path: string
  bodyOf(text: string): Readonly<Record<string, unknown>>
  /** Behind it comes no text, or the same again. */
  readonly end: string
}

const CHAT: Protocol = { path: '/v1/chat', bodyOf: (text_input) => ({ text_input }), end: 'event: done' }
const messages = (content: string) => [{ role: 'user', content }]
/** The same question to the same agent in each. */
export const PROTOCOLS = [
  CHAT,
  {
    path: '/v1/chat/completions',
    bodyOf: (text: string) => ({ model: 'youworker', stream: true, messages: messages(text) }),
    end: 'data: [DONE]',
  },
  {
    path: '/v1/responses',
    bodyOf: (input: string) => ({ model: 'youworker', stream: true, input }),
    end: 'event: response.output_text.done',
  },
  {
    path: '/v1/messages',
    bodyOf: (text: string) => ({ model: 'youworker', stream: true, max_tokens: 4_096, messages: messages(text) }),
    end: 'event: message_stop',
  },
] as const satisfies readonly Protocol[]

interface Asking {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly agent: Agent
  /** Beside the text. */
  readonly body?: Readonly<Record<string, unknown>> | undefined
  readonly protocol?: Protocol | undefined
}

const QUESTION = 'Say some words about nothing in particular.'
const WORD = 'word'

/** An answer of so many tokens. */
export const wordsOf = (count: number): string => Array.from({ length: count }, (_, n) => `${WORD}${n}`).join(' ')

/** Asks and reads the whole stream. Resolves to the times since the request at which the words came, in ms. */
export function ask({ url, headers, agent, body = {}, protocol = CHAT }: Asking): Promise<number[]> {
  const { promise, resolve, reject } = Promise.withResolvers<number[]>()
  const started = performance.now()
  const call = request(
    `${url}${protocol.path}`,
    { method: 'POST', agent, headers: { ...headers, 'content-type': 'application/json' } },
    (response) => {
      const times: number[] = []
      let end = ''
      response.setEncoding('utf8').on('data', (part: string) => {
        // The last events repeat the text.
        const isText = end === '' && response.statusCode === 200
        const [tokens = '', ...rest] = isText ? part.split(protocol.end) : ['', part]
        for (let at = tokens.indexOf(WORD); at >= 0; at = tokens.indexOf(WORD, at + 1)) times.push(performance.now() - started)
        if (rest.length > 0) end += protocol.end + rest.join()
      })
      response.on('error', reject).on('end', () => {
        if (response.statusCode === 200 && times.length > 0 && end.startsWith(protocol.end)) resolve(times)
        else reject(new Error(`${url}: ${response.statusCode}, ${times.length} words, then: ${end.slice(0, 500)}`))
      })
    },
  )
  call.on('error', reject).end(JSON.stringify({ ...protocol.bodyOf(QUESTION), ...body }))
  return promise
}
