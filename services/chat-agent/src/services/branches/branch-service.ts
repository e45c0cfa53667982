import type { Branch } from '@youworker/contracts/agent/branches'
import type { chatAgent } from '@youworker/contracts/chat-agent'
import type { HandlerInput, HandlerOutput } from '@youworker/contracts/define'
import { AppError } from '@youworker/contracts/errors'
import type { MessageRow } from '@youworker/database/owners/chat-agent/tables'
import type { Sealer, SpaceSealer } from '@youworker/database/sealing/sealer'
import { cleanText } from '@youworker/runtime/text/text'
import type { ChatAgentUnitOfWork } from '../../unit-of-work.ts'
import { sealContext } from '../sealed-fields.ts'
import { activeEnd } from './path-end.ts'

/** Characters of a text that is shown by its beginning. */
const SHOWN = 120

/** Lists the branches of a session. */
export class BranchService {
  readonly #uow: ChatAgentUnitOfWork
  readonly #sealer: Sealer

  constructor(uow: ChatAgentUnitOfWork, sealer: Sealer) {
    this.#uow = uow
    this.#sealer = sealer
  }

  async list(
    userId: string,
    { session_id: ref, limit, offset }: HandlerInput<typeof chatAgent.listBranches>,
  ): Promise<HandlerOutput<typeof chatAgent.listBranches>> {
    const space = await this.#sealer.forSpace(userId)
    return this.#uow.in([userId]).read(async ({ sessions, branches, messages }) => {
      const session = await sessions.find(userId, ref)
      if (!session) throw new AppError('SESSION_NOT_FOUND', 'There is no such session')
      const [known, counts] = await Promise.all([branches.ofSession(session.id), branches.turns(session.id)])
      const idOf = new Map(known.map(({ number, id }) => [number, id]))
      const turnsOf = new Map(counts.map(({ branch, first, count }) => [branch, { first, count }]))
      const page = [...known.toReversed(), undefined].slice(offset, offset + limit)
      const numbers = page.map((branch) => branch?.number ?? turnsOf.get(0)?.first ?? 0)
      const forks = page.filter((branch) => branch !== undefined)
      const [texts, shared] = await Promise.all([
        messages.lastOfTurns(session.id, numbers),
        branches.lastShared(session.id, forks),
      ])
      const lastShared = new Map(shared.map(({ number, message_id }) => [number, message_id]))
      const { branch: active } = activeEnd(session)
      const listed = page.map((branch, n): Branch => {
        const { id, number, created_at } = branch ?? { ...session, number: 0 }
        return {
          id,
          active: number === active,
          parent_id: branch ? (idOf.get(branch.from_branch) ?? session.id) : null,
          after_message_id: lastShared.get(number) ?? null,
          ...beginningOf(
            space,
            texts.filter(({ turn }) => turn === numbers[n]),
          ),
          turns: turnsOf.get(number)?.count ?? 0,
          created_at,
        }
      })
      return { branches: listed, total: known.length + 1 }
    })
  }
}

function beginningOf(space: SpaceSealer, messages: readonly Pick<MessageRow, 'id' | 'role' | 'content'>[]) {
  const shown = (role: MessageRow['role']): string | null => {
    const message = messages.find((candidate) => candidate.role === role)
    if (!message) return null
    return cleanText(space.openText(message.content, sealContext.message(message.id)), { lines: 'join', max: SHOWN, mark: '…' })
  }
  return { question: shown('user'), answer: shown('assistant') }
}
