import type { Status } from '@youworker/contracts/common'
import type { RunEntry } from '@youworker/contracts/agent/run-log'
import { type NatsConnection, onReconnect } from '@youworker/messaging/connection/connect'
import { type LiveListener, subscribeLive } from '@youworker/messaging/live/live'
import type { Clients } from '../clients.ts'
import type { Authenticator } from '../http/guards/authenticate.ts'
import type { RequestContext } from '../http/request-context.ts'
import { LogReads } from './log-reads.ts'

/** The entries of one run: the log has all that are persisted, the live subject may lose some. */
export interface EntrySource {
  /** Entries after number `after`. Throws when the caller may not read the run. */
  readPage(after: number): Promise<{ readonly entries: readonly RunEntry[]; readonly more: boolean; readonly status: Status }>
  subscribe(listener: LiveListener): Disposable
  /** Calls the listener when NATS is back after an outage: live entries may have been lost. */
  onReconnect(listener: () => void): Disposable
}

interface Deps extends Pick<Clients, 'chatAgent'> {
  readonly authenticator: Authenticator
  readonly nats: NatsConnection
}

export type EntrySourceOf = (runId: string, context: RequestContext) => EntrySource

/** A long answer outlives an access token, so each page renews it. */
export function createEntrySources({ nats, chatAgent, authenticator }: Deps): EntrySourceOf {
  const reads = new LogReads()
  return (runId, context) => ({
    readPage: (after) =>
      reads.read(context.caller.user_id, async () =>
        chatAgent.as(await context.renewedScope(authenticator)).listEntries({ run_id: runId, after }),
      ),
    subscribe: (listener) => subscribeLive(nats, runId, listener),
    onReconnect: (listener) => onReconnect(nats, listener),
  })
}
