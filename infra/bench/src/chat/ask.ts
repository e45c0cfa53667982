import { type Agent, request } from 'node:http'

interface Asking {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly agent: Agent
  /** Text with which the answer ends. */
  readonly end: string
}

const QUESTION = 'Say some words about nothing in particular.'

/** Asks and reads the whole stream. Resolves to the times since the request at which tokens came, in ms. */
export function ask({ url, headers, agent, end }: Asking): Promise<number[]> {
  const { promise, resolve, reject } = Promise.withResolvers<number[]>()
  const started = performance.now()
  const call = request(
    `${url}/v1/chat`,
    { method: 'POST', agent, headers: { ...headers, 'content-type': 'application/json' } },
    (response) => {
      const times: number[] = []
      let text = ''
      response.setEncoding('utf8').on('data', (part: string) => {
        text = text.slice(-2_000) + part
        if (part.includes('event: token')) times.push(performance.now() - started)
      })
      response.on('error', reject).on('end', () => {
        if (response.statusCode === 200 && text.includes('event: done') && text.includes(end)) resolve(times)
        else reject(new Error(`${url}: ${response.statusCode} ${text.slice(0, 500)}`))
      })
    },
  )
  call.on('error', reject).end(JSON.stringify({ text_input: QUESTION }))
  return promise
}
