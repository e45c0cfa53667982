import { type Agent, request } from 'node:http'

interface Asking {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly agent: Agent
  /** Beside the text. */
  readonly body?: Readonly<Record<string, unknown>>
}

const QUESTION = 'Say some words about nothing in particular.'
const WORD = 'word'

/** An answer of so many tokens. */
export const wordsOf = (count: number): string => Array.from({ length: count }, (_, n) => `${WORD}${n}`).join(' ')

/** Asks and reads the whole stream. Resolves to the times since the request at which the words came, in ms. */
export function ask({ url, headers, agent, body = {} }: Asking): Promise<number[]> {
  const { promise, resolve, reject } = Promise.withResolvers<number[]>()
  const started = performance.now()
  const call = request(
    `${url}/v1/chat`,
    { method: 'POST', agent, headers: { ...headers, 'content-type': 'application/json' } },
    (response) => {
      const times: number[] = []
      let end = ''
      response.setEncoding('utf8').on('data', (part: string) => {
        // The last event repeats the text.
        const isText = end === '' && response.statusCode === 200
        const [tokens = '', ...rest] = isText ? part.split('event: done') : ['', part]
        for (let at = tokens.indexOf(WORD); at >= 0; at = tokens.indexOf(WORD, at + 1)) times.push(performance.now() - started)
        if (rest.length > 0) end += rest.join()
      })
      response.on('error', reject).on('end', () => {
        if (response.statusCode === 200 && times.length > 0 && end.includes(`${WORD}${times.length - 1}`)) resolve(times)
        else reject(new Error(`${url}: ${response.statusCode}, ${times.length} words, then: ${end.slice(0, 500)}`))
      })
    },
  )
  call.on('error', reject).end(JSON.stringify({ text_input: QUESTION, ...body }))
  return promise
}
