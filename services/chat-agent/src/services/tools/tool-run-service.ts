import type { chatAgent, ToolRun } from '@youworker/contracts/chat-agent'
import type { HandlerInput, HandlerOutput } from '@youworker/contracts/define'
import { AppError } from '@youworker/contracts/errors'
import type { Sealer } from '@youworker/database/sealing/sealer'
import type { ChatAgentUnitOfWork } from '../../unit-of-work.ts'
import { pathEnd } from '../branches/path-end.ts'
import { clipArgs, clipBytes } from '../clip.ts'
import { sealContext } from '../sealed-fields.ts'

/** Bytes per field: the longest page of tool runs must fit into one reply. */
const SHOWN = { args: 1_024, text: 512 }

export class ToolRunService {
  readonly #uow: ChatAgentUnitOfWork
  readonly #sealer: Sealer

  constructor(uow: ChatAgentUnitOfWork, sealer: Sealer) {
    this.#uow = uow
    this.#sealer = sealer
  }

  async list(
    userId: string,
    { session_id: ref, branch, ...page }: HandlerInput<typeof chatAgent.listToolRuns>,
  ): Promise<HandlerOutput<typeof chatAgent.listToolRuns>> {
    const space = await this.#sealer.forSpace(userId)
    const { rows, ...rest } = await this.#uow.in([userId]).read(async ({ sessions, toolRuns, branches }) => {
      const session = ref === undefined ? undefined : await sessions.find(userId, ref)
      if (ref !== undefined && !session) throw new AppError('SESSION_NOT_FOUND', 'There is no such session')
      const end = session && branch !== undefined ? await pathEnd({ branches }, session, branch) : undefined
      return toolRuns.list({ user_id: userId, session_id: session?.id, end }, page)
    })
    const runs = rows.map(({ id, tool_name, status, start_ts, end_ts, latency_ms, args, error, preview }): ToolRun => {
      const text = (sealed: Buffer | null, context: typeof sealContext.error) =>
        sealed === null ? null : clipBytes(space.openText(sealed, context(id)), SHOWN.text)
      // Written by this service as an object.
      const allArgs = JSON.parse(space.openText(args, sealContext.args(id))) as Record<string, unknown>
      const texts = {
        error_message: text(error, sealContext.error),
        result_preview: status === 'success' ? text(preview, sealContext.preview) : null,
      }
      return { id, tool_name, status, start_ts, end_ts, latency_ms, args: clipArgs(allArgs, SHOWN.args), ...texts }
    })
    return { runs, ...rest }
  }
}
