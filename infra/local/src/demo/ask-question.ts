import type { Done } from '@youworker/contracts/agent/run-log'
import { z } from 'zod'
import type { Output, Print } from '../print.ts'
import { GatewayClient } from './gateway-client.ts'

const Token = z.object({ text: z.string() })
const Rewind = z.object({ offset: z.number().int() })

/** Asks a question. Prints the answer as it streams, then its sources and what its log says. */
export async function askQuestion(
  gateway: GatewayClient,
  question: string,
  { print, write }: Pick<Output, 'print' | 'write'>,
): Promise<Done> {
  print('')
  print(`> ${question}`)
  print('')
  let answer = ''
  for await (const event of gateway.chat(question)) {
    if (event.event === 'token') {
      const { text } = Token.parse(event.data)
      answer += text
      write(text)
    } else if (event.event === 'rewind') {
      const { offset } = Rewind.parse(event.data)
      // Printed text cannot be removed, so the part that stays valid is printed again.
      if (offset < answer.length) write(`\n\n(another worker took over; from the beginning:)\n\n${answer.slice(0, offset)}`)
      answer = answer.slice(0, offset)
    } else if (event.event === 'done') {
      const done = GatewayClient.readDone(event)
      write('\n')
      printEnd(done, print)
      return done
    }
  }
  throw new Error('the answer ended before it was complete')
}

function printEnd({ citations, logs, metadata }: Done, print: Print): void {
  print('')
  // What a partial one lacks is said in the answer.
  if (metadata.status !== 'success' && metadata.status !== 'partial')
    print(`The run ended as ${metadata.status}: ${metadata.error ?? 'no reason was given'}`)
  if (citations.length > 0) print('Sources:')
  for (const { index, title, page } of citations) print(`[${index}] ${title}${page === undefined ? '' : `, page ${page}`}`)
  for (const note of new Set(logs.map(({ msg }) => msg))) print(`(${note})`)
}
