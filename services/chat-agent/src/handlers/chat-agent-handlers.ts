import type { chatAgent } from '@youworker/contracts/chat-agent'
import type { models } from '@youworker/contracts/agent/model-backends'
import type { Handlers } from '@youworker/messaging/requests/server'
import type { BackendAdmin } from '../services/models/backend-admin.ts'
import type { BranchService } from '../services/branches/branch-service.ts'
import type { ModelPort } from '../services/models/model-port.ts'
import type { ResponseService } from '../services/responses/response-service.ts'
import type { PullService } from '../services/models/pull-service.ts'
import type { RunService } from '../services/runs/run-service.ts'
import type { SessionDeletion } from '../services/sessions/session-deletion.ts'
import type { SessionService } from '../services/sessions/session-service.ts'
import type { StartRun } from '../services/runs/start-run.ts'
import type { StepService } from '../services/steps/step-service.ts'
import type { ToolRunService } from '../services/tools/tool-run-service.ts'

interface Services {
  readonly model: Pick<ModelPort, 'list'>
  readonly backendAdmin: BackendAdmin
  readonly pulls: PullService
  readonly startRun: StartRun
  readonly runs: RunService
  readonly branches: BranchService
  readonly steps: StepService
  readonly responses: ResponseService
  readonly sessions: SessionService
  readonly deletion: SessionDeletion
  readonly toolRuns: ToolRunService
}

export function chatAgentHandlers(services: Services): Handlers<typeof chatAgent> {
  const { startRun, runs, branches, steps, responses, sessions, deletion, toolRuns } = services
  return {
    startRun: (input, context) => startRun.start(input, context),
    startResponse: (input, context) => startRun.start(input, context),
    retryMessage: (input, context) => startRun.retry(input, context),
    listBranches: (input, { caller }) => branches.list(caller.user_id, input),
    getResponse: ({ run_id }, { caller }) => responses.get(caller.user_id, run_id),
    listTurns: (input, { caller }) => responses.turns(caller.user_id, input),
    async deleteResponse({ run_id }, context) {
      await responses.delete(run_id, context)
      return {}
    },
    ...modelHandlers(services),
    getRun: ({ run_id }, { caller }) => runs.get(caller.user_id, run_id, caller.is_root),
    stopRun: ({ run_id }, { caller }) => runs.stop(caller.user_id, run_id),
    listSteps: (input, { caller }) => steps.list(caller.user_id, input),
    listEntries: ({ run_id, after }, { caller }) => runs.entries(caller.user_id, run_id, after),
    createSession: (input, context) => sessions.create(input, context),
    listSessions: (page, { caller }) => sessions.list(caller.user_id, page),
    getSession: ({ session_id }, { caller }) => sessions.get(caller.user_id, session_id),
    updateSession: ({ session_id, ...settings }, context) => sessions.update(session_id, settings, context),
    async deleteSession(input, context) {
      await deletion.delete(input, context)
      return {}
    },
    restoreSession: (input, context) => deletion.restore(input, context),
    listErasures: (input, context) => deletion.listErasures(input, context),
    listMessages: ({ session_id, ...page }, { caller }) => sessions.messages(caller.user_id, session_id, page),
    listToolRuns: (input, { caller }) => toolRuns.list(caller.user_id, input),
    listTasks: (page, { caller }) => runs.listTasks(caller.user_id, page),
    getTask: ({ task_id }, { caller }) => runs.getTask(caller.user_id, task_id),
    cancelTask: ({ task_id }, { caller }) => runs.cancelTask(caller.user_id, task_id),
  }
}

const modelHandlers = ({
  model,
  backendAdmin,
  pulls,
}: Pick<Services, 'model' | 'backendAdmin' | 'pulls'>): Handlers<typeof models> => ({
  listModels: async (_input, { signal }) => ({ models: await model.list(signal) }),
  listModelBackends: async (_input, context) => ({ backends: await backendAdmin.list(context) }),
  getModelBackend: ({ backend_id }, context) => backendAdmin.get(backend_id, context),
  getTransportKey: async () => backendAdmin.transportKey,
  createModelBackend: (input, context) => backendAdmin.create(input, context),
  updateModelBackend: ({ backend_id, ...changes }, context) => backendAdmin.update(backend_id, changes, context),
  async deleteModelBackend({ backend_id }, context) {
    await backendAdmin.delete(backend_id, context)
    return {}
  },
  startModelPull: (input, context) => pulls.start(input, context),
  getModelPull: ({ pull_id }, context) => pulls.get(pull_id, context),
  cancelModelPull: ({ pull_id }, context) => pulls.cancel(pull_id, context),
})
