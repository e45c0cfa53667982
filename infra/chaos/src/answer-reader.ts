import { setTimeout as sleep } from 'node:timers/promises'
import { RunEntryBody } from '@youworker/contracts/agent/run-log'
import { readEvents } from '@youworker/local/demo/server-events'
import type { Client } from './client.ts'

/** A stream that is cut is followed this long. */
export const FOLLOW_MS = 90_000

/** Pieces an answer together from streams that may be cut anywhere. */
export class AnswerReader {
  run: { readonly run_id: string; readonly session_id: string } | undefined
  done: { readonly content: string; readonly status: string } | undefined
  text = ''
  /** How long nothing came before another worker went on, each time it did, in ms. */
  readonly takeovers: number[] = []
  #lastId = ''
  #lastAt = performance.now()

  /** Returns why the stream broke. */
  async read(response: Response): Promise<unknown> {
    try {
      for await (const { id, event, data } of readEvents(response)) {
        if (id !== undefined) this.#lastId = String(id)
        this.#add(RunEntryBody.parse({ event, data }))
        if (id !== undefined) this.#lastAt = performance.now()
      }
      return undefined
    } catch (error) {
      return error
    }
  }

  /** Goes on with the stream, over as many as it takes. */
  async follow(client: Client): Promise<void> {
    for (const until = Date.now() + FOLLOW_MS; !this.done && Date.now() < until; await sleep(250)) {
      const headers = { 'last-event-id': this.#lastId }
      const again = await client.fetch(`/v1/runs/${this.run?.run_id}/events`, { headers }, FOLLOW_MS).catch(() => undefined)
      if (again?.ok) await this.read(again)
      else await again?.arrayBuffer()
    }
  }

  #add({ event, data }: RunEntryBody): void {
    if (event === 'run') this.run = data
    else if (event === 'token') this.text += data.text
    else if (event === 'done') this.done = { content: data.content, status: data.metadata.status }
    else if (event === 'rewind') {
      this.text = this.text.slice(0, data.offset)
      this.takeovers.push(performance.now() - this.#lastAt)
    }
  }
}
