import { CursorPage, Id, listed, Task } from '@youworker/contracts/common'
import { AppError } from '@youworker/contracts/errors'
import { z } from 'zod'
import type { AuditReporter } from '../audit-reporter.ts'
import type { Clients } from '../clients.ts'
import { defineRoute } from '../http/define-route.ts'
import type { RequestContext } from '../http/request-context.ts'
import { isAway, mergeLists } from './merge-lists.ts'

type Deps = Pick<Clients, 'chatAgent' | 'ingestion'>
type TaskDeps = Deps & { readonly audit: Pick<AuditReporter, 'unknownTask'> }

/** The services that run long jobs for users. */
const ownersOf = (context: RequestContext, { chatAgent, ingestion }: Deps) =>
  [
    { name: 'chat-agent', tasks: chatAgent.as(context.scope) },
    { name: 'ingestion', tasks: ingestion.as(context.scope) },
  ] as const
type Owner = ReturnType<typeof ownersOf>[number]

async function list(owners: readonly Owner[], page: CursorPage) {
  const lists = owners.map(({ name, tasks: client }) => ({
    name,
    async list(part: CursorPage) {
      const { tasks: rows, ...rest } = await client.listTasks(part)
      return { rows, ...rest }
    },
  }))
  const { rows: tasks, ...rest } = await mergeLists(lists, page, ({ created_at }) => created_at)
  return { tasks, ...rest }
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
