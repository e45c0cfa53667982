import type { IncomingMessage, ServerResponse } from 'node:http'
import { json } from 'node:stream/consumers'
import { restartableServer } from '@youworker/test-kit/restartable-server'
import { z } from 'zod'

const Asked = z.object({ messages: z.array(z.object({ role: z.string(), content: z.string() })) })
type Asked = z.infer<typeof Asked>

/** Answers a chat request: `text` writes a part of the answer, `end` its last line. A response that is left open hangs. */
export type Reply = (answer: Answer, asked: Asked, headers: Readonly<Record<string, string | undefined>>) => void | Promise<void>
interface Answer {
  readonly response: ServerResponse
  text(text: string): void
  line(line: object): void
  end(counts?: { prompt_eval_count: number; eval_count: number }): void
}

/**
 * A server that speaks Ollama's protocol, at one address, and can be stopped and started. Unlike the offline model it may ignore the
 * answer that it was given to continue. The n-th chat request gets the n-th reply, or the last one.
 */
export async function startModel(...replies: Reply[]) {
  let asked = 0
  const serve = async (request: IncomingMessage, response: ServerResponse) => {
    const body = request.method === 'POST' ? await json(request) : undefined
    if (request.url !== '/api/chat')
      return void response.end(JSON.stringify({ capabilities: ['completion', 'tools', 'vision'], models: [{ name: 'm' }] }))
    const reply = replies[Math.min(asked, replies.length - 1)]
    asked += 1
    const line = (value: object) => void response.write(`${JSON.stringify({ model: 'm', ...value })}\n`)
    const text = (content: string) => line({ message: { role: 'assistant', content }, done: false })
    const end = (counts = {}) => {
      line({ message: { role: 'assistant', content: '' }, done: true, ...counts })
      response.end()
    }
    await reply?.({ response, line, text, end }, Asked.parse(body), { traceparent: String(request.headers['traceparent']) })
  }
  const { origin: url, start, stop } = await restartableServer((request, response) => void serve(request, response))
  return { url, start, stop, asked: () => asked, [Symbol.asyncDispose]: stop }
}

export const says =
  (text: string, counts?: { prompt_eval_count: number; eval_count: number }): Reply =>
  (answer) => {
    answer.text(text)
    answer.end(counts)
  }

/** Writes the text, then cuts the connection. */
export const breaksOff =
  (text: string): Reply =>
  ({ text: write, response }) => {
    write(text)
    setTimeout(() => response.destroy(), 50)
  }

export const refuses =
  (status: number, error: string): Reply =>
  ({ response }) => {
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify({ error }))
  }
