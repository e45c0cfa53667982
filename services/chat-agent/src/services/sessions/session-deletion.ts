import { chatAgent, type Session } from '@youworker/contracts/chat-agent'
import { type CursorPage, TERMINAL } from '@youworker/contracts/common'
import type { Erasure } from '@youworker/contracts/erasures'
import { AppError } from '@youworker/contracts/errors'
import { type ReceiptFilter, type ReceiptRow, toErasures } from '@youworker/database/deletion/receipts'
import { recordAudit } from '@youworker/database/events/record-audit'
import type { SessionRow } from '@youworker/database/owners/chat-agent/tables'
import type { Sealer } from '@youworker/database/sealing/sealer'
import type { Trace, UserContext } from '@youworker/messaging/requests/context'
import type { ChatAgentRepositories, ChatAgentUnitOfWork } from '../../unit-of-work.ts'
import type { Waker } from '../ports.ts'
import { SUMMARY_KIND } from '../summaries/summary-job.ts'
import { TITLE_KIND } from '../runs/run-finisher.ts'
import { eraseSession } from './erase.ts'
import { noSession, sessionAct, toSession } from './session-view.ts'

interface DeletionParts {
  readonly uow: ChatAgentUnitOfWork
  readonly sealer: Sealer
  readonly waker: Waker
  /** Ends a run whose job was cancelled before it began. */
  readonly endWaiting: (runId: string, spaceId: string) => Promise<void>
  /** How long a deleted session can be restored. */
  readonly keepDays: number
}

const PAGE_ROWS = 200

/** Deletes sessions in two steps, or in one, and brings them back between the two. */
export class SessionDeletion {
  readonly #parts: DeletionParts

  constructor(parts: DeletionParts) {
    this.#parts = parts
  }

  async delete(
    { session_id: ref, purge = false }: { readonly session_id: string; readonly purge?: boolean },
    context: UserContext,
  ): Promise<void> {
    const { uow, waker } = this.#parts
    const { user_id } = context.caller
    const ended = await uow.inWithDeleted([user_id]).write(async (repositories) => {
      // A run at work holds its job while it writes.
      const found = await repositories.sessions.findPresent(user_id, ref)
      if (found) await repositories.jobs.lock(await repositories.runs.idsOfSession(found.id))
      const session = await repositories.sessions.lock(user_id, ref)
      if (!session || (session.deleted_at !== null && !purge)) throw noSession()
      const waiting = purge ? [] : await this.#hide(repositories, session, context)
      if (purge) await eraseWithReceipt(repositories, session, { context, reason: 'purge' })
      const act = sessionAct(purge ? 'session.purge' : 'session.delete', session.id, user_id)
      recordAudit(repositories.outbox, chatAgent.auditRecorded, act, context)
      return { id: session.id, waiting }
    })
    waker.cancelled()
    // What fails here is done by a sweep.
    for (const id of ended.waiting) await this.#parts.endWaiting(id, user_id).catch(() => {})
    if (purge) await this.#verify(ended.id, user_id)
  }

  async restore({ session_id: ref }: { readonly session_id: string }, context: UserContext): Promise<Session> {
    const { uow, sealer } = this.#parts
    const { user_id } = context.caller
    const space = await sealer.forSpace(user_id)
    const restored = await uow.inWithDeleted([user_id]).write(async ({ sessions, deletions, outbox }) => {
      const deleted = await sessions.lockDeleted(user_id, ref)
      const present = await sessions.findPresent(user_id, deleted?.external_id ?? ref)
      if (!deleted && present) return present
      if (!deleted) throw noSession()
      if (present) throw nameTaken(deleted)
      const { id: session_id } = deleted
      await deletions.show('sessions', session_id)
      await deletions.setHidden('runs', 'session_id', session_id, false)
      outbox.add(chatAgent.sessionRestored, { session_id, user_id }, context)
      recordAudit(outbox, chatAgent.auditRecorded, sessionAct('session.restore', session_id, user_id), context)
      return { ...deleted, deleted_at: null, erase_after: null }
    })
    return toSession(space, restored)
  }

  async listErasures({ kind, target_id, ...page }: ReceiptFilter & CursorPage, { caller }: UserContext) {
    const { user_id } = caller
    return toErasures(
      await this.#parts.uow.in([user_id]).read(({ receipts }) => receipts.list(user_id, { kind, target_id }, page)),
    )
  }

  /** Erases everything of a deleted user, the key of their space included. A repeat finds nothing left. */
  async eraseUser(userId: string, context: Trace): Promise<void> {
    const { uow, sealer, waker } = this.#parts
    const scope = uow.inWithDeleted([userId])
    for (;;) {
      const { rows } = await scope.read(({ sessions }) => sessions.list(userId, { limit: PAGE_ROWS, offset: 0 }))
      if (rows.length === 0) break
      for (const { id } of rows)
        await scope.write(async (repositories) => {
          const session = await repositories.sessions.lock(userId, id)
          if (session) await eraseSession(repositories, session, context)
        })
      waker.cancelled()
    }
    await uow.in([userId]).write(async ({ idempotency, receipts }) => {
      await idempotency.forget(userId)
      await receipts.forget(userId)
    })
    await sealer.forget(userId)
  }

  /** Whether nothing is left of what a receipt tells. */
  async verify({ id, space_id, traces }: ReceiptRow): Promise<boolean> {
    const { session_ids = [], run_ids = [] } = traces ?? {}
    const scope = this.#parts.uow.inWithDeleted([space_id])
    const left = await scope.read((repositories) => repositories.traces.count({ session_ids, run_ids }))
    const isGone = Object.values(left).every((count) => count === 0)
    if (isGone) await scope.write(({ receipts }) => receipts.verified(id))
    return isGone
  }

  /** Its unfinished runs end as stopped ones do. Returns those that nobody works on. */
  async #hide(repositories: ChatAgentRepositories, { id, user_id }: SessionRow, context: UserContext): Promise<string[]> {
    const { runs, jobs, deletions, cachedAnswers, outbox } = repositories
    for (const kind of [SUMMARY_KIND, TITLE_KIND]) await jobs.deleteQueued(kind, id)
    const waiting: string[] = []
    for (const run of await runs.lock(await runs.idsOfSession(id))) {
      if (TERMINAL.includes(run.status)) {
        await jobs.delete(run.id)
        continue
      }
      const job = await jobs.requestCancel(run.id)
      await runs.setStopReason(run.id, 'user')
      if (job?.status === 'cancelled') waiting.push(run.id)
    }
    await deletions.hide('sessions', id, { by: user_id, keepDays: this.#parts.keepDays })
    await deletions.setHidden('runs', 'session_id', id, true)
    await cachedAnswers.deleteOfSession(user_id, id)
    outbox.add(chatAgent.sessionSoftDeleted, { session_id: id, user_id }, context)
    return waiting
  }

  /** What fails here is verified by the next sweep. */
  async #verify(sessionId: string, userId: string): Promise<void> {
    const receipts = await this.#parts.uow.in([userId]).read((repositories) => repositories.receipts.unverifiedOf(sessionId))
    for (const receipt of receipts) await this.verify(receipt)
  }
}

/** One whose time to be restored is over, in the system scope. */
export async function eraseExpired(repositories: ChatAgentRepositories, { id }: { readonly id: string }): Promise<void> {
  const session = await repositories.sessions.lockExpired(id)
  if (session) await eraseWithReceipt(repositories, session, { context: undefined, reason: 'expired' })
}

async function eraseWithReceipt(
  repositories: ChatAgentRepositories,
  session: SessionRow,
  { context, reason }: { readonly context: Trace | undefined; readonly reason: Erasure['reason'] },
): Promise<void> {
  const { id, user_id, deleted_at } = session
  const traces = { session_ids: [id], run_ids: await repositories.runs.idsOfSession(id) }
  const removed = await repositories.traces.count(traces)
  await eraseSession(repositories, session, context)
  const receipt = { kind: 'session', target_id: id, reason, deleted_at } as const
  await repositories.receipts.add({ ...receipt, readers: [user_id], removed, traces })
}

const nameTaken = ({ external_id }: SessionRow) =>
  new AppError('CONFLICT', `Another session of yours is called ${external_id} now; delete that one, then restore this one`)
