import { chatAgent, type Message, type Session } from '@youworker/contracts/chat-agent'
import type { CursorPage, Metadata } from '@youworker/contracts/common'
import type { HandlerInput, HandlerOutput } from '@youworker/contracts/define'
import { AppError } from '@youworker/contracts/errors'
import { LIMITS } from '@youworker/contracts/limits'
import { recordAudit } from '@youworker/database/events/record-audit'
import type { SessionRow } from '@youworker/database/owners/chat-agent/tables'
import type { Sealer, SpaceSealer } from '@youworker/database/sealing/sealer'
import type { UserContext } from '@youworker/messaging/requests/context'
import { newId } from '@youworker/runtime/id'
import type { ChatAgentUnitOfWork } from '../../unit-of-work.ts'
import { branchNumber, pathEnd } from '../branches/path-end.ts'
import { siblingsOf } from '../branches/siblings.ts'
import { withinBytes } from '../clip.ts'
import { thinkingOf } from '../steps/thinking-of-runs.ts'
import { requireGroup } from '../prompts/session-prompts.ts'
import type { Groups } from '../ports.ts'
import { sealContext } from '../sealed-fields.ts'
import { noSession, sessionAct, toSession } from './session-view.ts'

interface Settings {
  readonly title?: string | null | undefined
  readonly model?: string | null | undefined
  readonly enable_tools?: boolean | undefined
  readonly when_busy?: SessionRow['when_busy'] | undefined
  readonly instructions?: string | null | undefined
  readonly group_id?: string | null | undefined
  readonly metadata?: Metadata | null | undefined
  readonly active_branch?: string | undefined
}
interface MessagesPage {
  readonly after?: string | undefined
  readonly limit?: number | undefined
  readonly branch?: string | undefined
  readonly include?: 'thinking' | undefined
}
type NewSession = HandlerInput<typeof chatAgent.createSession>

const PAGE_ROWS = 200
const OPENING = { turn: 0, branch: 0, tokens_in: 0, tokens_out: 0 } as const

interface SessionParts {
  readonly uow: ChatAgentUnitOfWork
  readonly sealer: Sealer
  readonly groups: Groups
}

export class SessionService {
  readonly #uow: ChatAgentUnitOfWork
  readonly #sealer: Sealer
  readonly #groups: Groups

  constructor({ uow, sealer, groups }: SessionParts) {
    this.#uow = uow
    this.#sealer = sealer
    this.#groups = groups
  }

  async create(input: NewSession, context: UserContext): Promise<Session> {
    const { user_id } = context.caller
    const id = newId()
    const external_id = input.external_id ?? id
    if (/\p{Cc}/u.test(external_id)) throw new AppError('VALIDATION_ERROR', 'external_id must not contain control characters')
    await requireGroup(this.#groups, user_id, input.group_id)
    const space = await this.#sealer.forSpace(user_id)
    const { model = null, enable_tools = true, when_busy = 'queue', opening = [] } = input
    const title = sealTitle(space, id, input.title)
    const metadata = sealMetadata(space, id, input.metadata)
    const instructions = sealInstructions(space, id, input.instructions)
    const tools_pinned = input.enable_tools !== undefined
    const request = { user_id, subject: chatAgent.createSession.subject, key: context.idempotencyKey, request: input }
    return this.#uow.in([user_id]).write(async ({ sessions, messages, outbox, idempotency }) => {
      const made = await idempotency.once(request, async () => {
        const settings = {
          external_id,
          title,
          title_by: title ? ('user' as const) : null,
          metadata,
          model,
          enable_tools,
          tools_pinned,
          when_busy,
          instructions,
          group_id: input.group_id ?? null,
          message_count: opening.length,
        }
        const row = await sessions.add({ id, space_id: user_id, user_id, ...settings })
        if (!row)
          throw new AppError('CONFLICT', 'You have a session with this external_id already; use that one or choose another')
        outbox.add(chatAgent.sessionCreated, { session_id: id, user_id, model, enable_tools }, context)
        // They belong to no run.
        await messages.add(
          opening.map(({ role, content }) => {
            const message = newId()
            const sealed = space.sealText(content, sealContext.message(message))
            return { id: message, space_id: user_id, session_id: id, run_id: id, ...OPENING, role, content: sealed }
          }),
        )
        return { session_id: id }
      })
      const row = await sessions.find(user_id, made.session_id)
      if (!row) throw new AppError('CONFLICT', 'The session that this request made was deleted since')
      return toSession(space, row)
    })
  }

  async list(
    userId: string,
    { include_deleted = false, ...page }: CursorPage & { readonly include_deleted?: boolean },
  ): Promise<HandlerOutput<typeof chatAgent.listSessions>> {
    const space = await this.#sealer.forSpace(userId)
    const scope = include_deleted ? this.#uow.inWithDeleted([userId]) : this.#uow.in([userId])
    const { rows, ...rest } = await scope.read(({ sessions }) => sessions.list(userId, page))
    return { sessions: rows.map((row) => toSession(space, row)), ...rest }
  }

  async get(userId: string, ref: string): Promise<Session> {
    const space = await this.#sealer.forSpace(userId)
    const row = await this.#uow.in([userId]).read(({ sessions }) => sessions.find(userId, ref))
    if (!row) throw noSession()
    return toSession(space, row)
  }

  async update(ref: string, settings: Settings, context: UserContext): Promise<Session> {
    const { user_id: userId } = context.caller
    const { title, model, enable_tools, when_busy, instructions, group_id, metadata, active_branch } = settings
    await requireGroup(this.#groups, userId, group_id)
    const space = await this.#sealer.forSpace(userId)
    return this.#uow.in([userId]).write(async ({ sessions, branches, outbox }) => {
      const row = await sessions.lock(userId, ref)
      if (!row) throw noSession()
      const branch = active_branch === undefined ? undefined : await branchNumber({ branches }, row, active_branch)
      const changed = await sessions.update(row.id, {
        ...(title === undefined ? {} : { title: sealTitle(space, row.id, title), title_by: title ? ('user' as const) : null }),
        ...(model === undefined ? {} : { model }),
        ...(metadata === undefined ? {} : { metadata: sealMetadata(space, row.id, metadata) }),
        ...(enable_tools === undefined ? {} : { enable_tools, tools_pinned: true }),
        ...(when_busy === undefined ? {} : { when_busy }),
        ...(instructions === undefined ? {} : { instructions: sealInstructions(space, row.id, instructions) }),
        ...(group_id === undefined ? {} : { group_id }),
        // A session with one branch stays as it is.
        ...(branch === undefined || row.branch === null
          ? {}
          : { branch, branch_id: branch === 0 ? null : (active_branch ?? null) }),
      })
      recordAudit(outbox, chatAgent.auditRecorded, sessionAct('session.update', row.id, userId), context)
      return toSession(space, changed)
    })
  }

  async messages(
    userId: string,
    ref: string,
    { after, limit = PAGE_ROWS, branch, include }: MessagesPage = {},
  ): Promise<{ messages: Message[]; next: string | null; branch: string }> {
    const space = await this.#sealer.forSpace(userId)
    const { rows, places, shown, thinking } = await this.#uow.in([userId]).read(async (repositories) => {
      const session = await repositories.sessions.find(userId, ref)
      if (!session) throw noSession()
      const page = await repositories.messages.page(await pathEnd(repositories, session, branch), after, limit)
      const shown = branch ?? session.branch_id ?? session.id
      const answered = include ? page.flatMap(({ role, run_id }) => (role === 'assistant' ? [run_id] : [])) : []
      const thinking = await thinkingOf(repositories, space, userId, answered)
      return { rows: page, places: await siblingsOf(repositories, session, page), shown, thinking }
    })
    const end = rows.findIndex(({ role, run_id }) => role === 'assistant' && thinking.left.has(run_id))
    const all = rows
      .slice(0, end === -1 ? rows.length : end)
      .flatMap(({ id, role, run_id, content, tokens_in, tokens_out, created_at }): Message[] => {
        if (role === 'summary') return []
        const text = space.openText(content, sealContext.message(id))
        const siblings = places.get(id)
        const told = { role, content: text, tool_call_name: null, tool_call_id: null, tokens_in, tokens_out }
        const thought = role === 'assistant' ? thinking.byRun.get(run_id) : undefined
        const more = { ...(thought === undefined ? {} : { thinking: thought }), ...(siblings ? { siblings } : {}) }
        return [{ id, ...told, ...more, created_at }]
      })
    const fitting = withinBytes(all, LIMITS.entriesPage)
    const messages = fitting.length === 0 ? all.slice(0, 1) : fitting
    const hasMore = messages.length < all.length || end !== -1 || rows.length === limit
    return { messages, next: hasMore ? (messages.at(-1)?.id ?? null) : null, branch: shown }
  }
}

const sealTitle = (space: SpaceSealer, id: string, title: string | null | undefined): Buffer | null =>
  title === null || title === undefined ? null : space.sealText(title, sealContext.title(id))

const sealMetadata = (space: SpaceSealer, id: string, metadata: Metadata | null | undefined): Buffer | null =>
  metadata ? space.sealText(JSON.stringify(metadata), sealContext.metadata(id)) : null

const sealInstructions = (space: SpaceSealer, id: string, text: string | null | undefined): Buffer | null =>
  text ? space.sealText(text, sealContext.instructions(id)) : null
