import { CursorPage, Id, listed, Task, type TaskList } from '@youworker/contracts/common'
import { writeCursor } from '@youworker/contracts/cursor'
import { AppError, ERROR_STATUS } from '@youworker/contracts/errors'
import { LIMITS } from '@youworker/contracts/limits'
import { z } from 'zod'
import type { AuditReporter } from '../audit-reporter.ts'
import type { Clients } from '../clients.ts'
import { defineRoute } from '../http/define-route.ts'
import type { RequestContext } from '../http/request-context.ts'

type Deps = Pick<Clients, 'chatAgent' | 'ingestion'>
type TaskDeps = Deps & { readonly audit: Pick<AuditReporter, 'unknownTask'> }

/** The services that run long jobs for users. */
const ownersOf = (context: RequestContext, { chatAgent, ingestion }: Deps) =>
  [
    { name: 'chat-agent', tasks: chatAgent.as(context.scope) },
    { name: 'ingestion', tasks: ingestion.as(context.scope) },
  ] as const
type Owner = ReturnType<typeof ownersOf>[number]

const isAway = (error: unknown): boolean => error instanceof AppError && ERROR_STATUS[error.code] >= 500

type Rows = z.output<typeof TaskList>

/** Of one owner at least those that the page may need: those behind `after`, or the newest. */
async function rowsFor({ tasks: client }: Owner, { limit, offset, after }: CursorPage): Promise<Rows> {
  if (after !== undefined) return client.listTasks({ limit, offset: 0, after })
  const tasks: Task[] = []
  let page: Rows
  do {
    page = await client.listTasks({ limit: LIMITS.listRows, offset: tasks.length })
    tasks.push(...page.tasks)
    if (page.tasks.length === 0) break
  } while (tasks.length < Math.min(offset + limit, page.total))
  return { ...page, tasks }
}

const byAge = (a: Task, b: Task): number =>
  a.created_at === b.created_at ? (a.id < b.id ? 1 : -1) : a.created_at < b.created_at ? 1 : -1

async function list(owners: readonly Owner[], page: CursorPage) {
  const asked = await Promise.allSettled(owners.map((owner) => rowsFor(owner, page)))
  const incomplete: string[] = []
  const all: Task[] = []
  let total = 0
  let isEstimate = false
  let hasMore = false
  for (const [at, outcome] of asked.entries()) {
    if (outcome.status === 'fulfilled') {
      all.push(...outcome.value.tasks)
      total += outcome.value.total
      isEstimate ||= outcome.value.total_is_estimate === true
      hasMore ||= outcome.value.next_after !== undefined
    } else if (isAway(outcome.reason)) incomplete.push(owners[at]?.name ?? '')
    else throw outcome.reason
  }
  const begin = page.after === undefined ? page.offset : 0
  const tasks = all.sort(byAge).slice(begin, begin + page.limit)
  const last = tasks.at(-1)
  hasMore ||= all.length > begin + page.limit
  return {
    tasks,
    total,
    ...(isEstimate ? { total_is_estimate: true as const } : {}),
    ...(last && hasMore ? { next_after: writeCursor({ time: last.created_at, id: last.id }) } : {}),
    ...(incomplete.length > 0 ? { incomplete } : {}),
  }
}

interface OwnTask {
  readonly action: string
  readonly task_id: string
  readonly ask: (owner: Owner) => Promise<Task>
}

/** The gateway does not know which service owns a task, so it requests it from both. */
async function fromOwner(context: RequestContext, deps: TaskDeps, { action, task_id, ask }: OwnTask): Promise<Task> {
  const owners = ownersOf(context, deps)
  const asked = await Promise.allSettled(owners.map(ask))
  let unknown = true
  for (const outcome of asked) {
    if (outcome.status === 'fulfilled') return outcome.value
    if (isAway(outcome.reason)) unknown = false
    else if (!(outcome.reason instanceof AppError) || outcome.reason.code !== 'TASK_NOT_FOUND') throw outcome.reason
  }
  if (unknown) {
    deps.audit.unknownTask(action, task_id, context)
    throw new AppError('TASK_NOT_FOUND', 'There is no such task of yours; GET /v1/tasks lists them')
  }
  throw new AppError('SERVICE_UNAVAILABLE', 'The service that may run this task does not answer; try again', { retryAfter: 2 })
}

const common = { tag: 'tasks', auth: 'required', limit: 'default' } as const
const TaskPath = z.object({ task_id: Id })

export const taskRoutes = [
  defineRoute({
    ...common,
    method: 'GET',
    path: '/v1/tasks',
    operation: 'listTasks',
    summary: 'Long jobs of the caller, whichever service runs them',
    csrf: 'none',
    query: CursorPage.extend({ offset: z.coerce.number().int().min(0).max(10_000).default(0) }),
    answer: z.object({ tasks: z.array(Task), ...listed, incomplete: z.array(z.string()).optional() }),
    handle: ({ query, context }, deps: Deps) => list(ownersOf(context, deps), query),
  }),
  defineRoute({
    ...common,
    method: 'GET',
    path: '/v1/tasks/{task_id}',
    operation: 'getTask',
    summary: 'One task',
    csrf: 'none',
    params: TaskPath,
    answer: Task,
    errors: ['TASK_NOT_FOUND'],
    handle: ({ params, context }, deps: TaskDeps) =>
      fromOwner(context, deps, { ...params, action: 'task.get', ask: ({ tasks }) => tasks.getTask(params) }),
  }),
  defineRoute({
    ...common,
    method: 'POST',
    path: '/v1/tasks/{task_id}/cancel',
    operation: 'cancelTask',
    summary: 'Cancel a task',
    csrf: 'required',
    params: TaskPath,
    answer: Task,
    errors: ['TASK_NOT_FOUND'],
    handle: ({ params, context }, deps: TaskDeps) =>
      fromOwner(context, deps, {
        ...params,
        action: 'task.cancel',
        ask: ({ tasks }) => tasks.cancelTask(params, context.idempotency),
      }),
  }),
]
