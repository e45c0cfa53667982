import { expect, test } from 'vitest'
import { readEvents, type ServerEvent } from './server-events.ts'

async function read(chunks: Uint8Array[]): Promise<ServerEvent[]> {
  return Array.fromAsync(readEvents(new Response(ReadableStream.from(chunks))))
}

test('events are read whole from chunks split at any byte; comments and an incomplete last event are dropped', async () => {
  const text =
    'retry: 1000\n\n: \n\nid: 7\nevent: token\ndata: {"text":"naïve 🦊"}\n\nevent: done\ndata: {}\n\nid: 9\nevent: token\ndata: {"te'
  const bytes = new TextEncoder().encode(text)
  for (let cut = 0; cut <= bytes.length; cut++) {
    expect(await read([bytes.slice(0, cut), bytes.slice(cut)])).toEqual([
      { event: 'token', id: 7, data: { text: 'naïve 🦊' } },
      { event: 'done', id: undefined, data: {} },
    ])
  }
})
