import { AppError } from '@youworker/contracts/errors'
import { ModelError } from '@youworker/runtime/model-error'
import type { ModelPort } from '../models/model-port.ts'

/** How long a start waits to hear whether a model is there. */
const ASK_MS = 2_000

/** Refuses a model that no server has before anything is stored. When a server does not say it in time, the run finds out. */
export async function requireModel(
  models: Pick<ModelPort, 'describe' | 'known'>,
  name: string | null | undefined,
  signal: AbortSignal,
): Promise<void> {
  if (!name || models.known(name)) return
  try {
    await models.describe(name, AbortSignal.any([signal, AbortSignal.timeout(ASK_MS)]))
  } catch (error) {
    signal.throwIfAborted()
    if (!(error instanceof ModelError) || error.failure !== 'unknown_model') return
    const message = `There is no model named ${name}; GET /v1/models lists those that are there`
    throw new AppError('MODEL_NOT_FOUND', message, { cause: error, details: [{ field: 'model', message: 'is not there' }] })
  }
}
