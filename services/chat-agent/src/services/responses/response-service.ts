import { chatAgent } from '@youworker/contracts/chat-agent'
import type { HandlerInput, HandlerOutput } from '@youworker/contracts/define'
import { AppError } from '@youworker/contracts/errors'
import { recordAudit } from '@youworker/database/events/record-audit'
import type { SessionRow } from '@youworker/database/owners/chat-agent/tables'
import type { Sealer, SpaceSealer } from '@youworker/database/sealing/sealer'
import type { UserContext } from '@youworker/messaging/requests/context'
import type { ChatAgentRepositories, ChatAgentUnitOfWork } from '../../unit-of-work.ts'
import { withoutImageData } from '../models/vision.ts'
import type { Waker } from '../ports.ts'
import { titleOf } from '../runs/chat-turns.ts'
import { unsealSettings } from '../runs/run-settings.ts'
import { sealContext, unsealTitle } from '../sealed-fields.ts'
import { listTurns } from './list-turns.ts'
import { eraseRuns, eraseSession } from '../sessions/erase.ts'

const notFound = () => new AppError('RUN_NOT_FOUND', 'There is no such response')

/** Runs that answer requests of OpenAI's responses protocol. */
export class ResponseService {
  readonly #uow: ChatAgentUnitOfWork
  readonly #sealer: Sealer
  readonly #waker: Waker

  constructor(uow: ChatAgentUnitOfWork, sealer: Sealer, waker: Waker) {
    this.#uow = uow
    this.#sealer = sealer
    this.#waker = waker
  }

  async get(userId: string, runId: string): Promise<HandlerOutput<typeof chatAgent.getResponse>> {
    const space = await this.#sealer.forSpace(userId)
    const run = await this.#uow.in([userId]).read(({ runs }) => runs.find(runId))
    const { response, conversation = [] } = run ? unsealSettings(space, run) : {}
    if (!run || !response) throw notFound()
    const { request, added } = response
    const input = withoutImageData(conversation.slice(conversation.length - added))
    return { run_id: runId, session_id: run.session_id, status: run.status, request, input }
  }

  async turns(
    userId: string,
    input: HandlerInput<typeof chatAgent.listTurns>,
  ): Promise<HandlerOutput<typeof chatAgent.listTurns>> {
    const space = await this.#sealer.forSpace(userId)
    return this.#uow.in([userId]).read((repositories) => listTurns(repositories, space, userId, input))
  }

  /** Responses that went on from it keep the conversation that they were given. */
  async delete(runId: string, context: UserContext): Promise<void> {
    const { user_id } = context.caller
    const space = await this.#sealer.forSpace(user_id)
    await this.#uow.in([user_id]).write(async (repositories) => {
      const { sessions, runs, messages, outbox } = repositories
      const run = await runs.find(runId)
      const { response } = run ? unsealSettings(space, run) : {}
      const session = run && response && (await sessions.lock(user_id, run.session_id))
      if (!session) throw notFound()
      const isOnly = (await runs.idsOfSession(session.id)).length === 1
      if (isOnly && !response?.in_session) await eraseSession(repositories, session, context)
      else {
        const isNamedByIt = await isTitledBy(repositories, space, session, runId)
        await eraseRuns(repositories, [runId], context)
        await runs.delete(runId)
        await sessions.countMessages(session.id, -(await messages.deleteOfRun(run)))
        // The next question names it.
        if (isNamedByIt) await sessions.update(session.id, { title: null, title_by: null })
      }
      const act = {
        actor_id: user_id,
        action: 'response.delete',
        outcome: 'allowed',
        target_type: 'run',
        target_id: runId,
      } as const
      recordAudit(outbox, chatAgent.auditRecorded, act, context)
    })
    this.#waker.cancelled()
  }
}

/** The title of the session is the beginning of what this run was asked. */
async function isTitledBy(
  { messages }: Pick<ChatAgentRepositories, 'messages'>,
  space: SpaceSealer,
  session: SessionRow,
  runId: string,
): Promise<boolean> {
  if (session.title === null || session.title_by === 'user') return false
  const asked = await messages.questionsOfRun(session.id, runId)
  const title = unsealTitle(space, session)
  return asked.some(({ id, content }) => titleOf(space.openText(content, sealContext.message(id))) === title)
}
