import { evicted } from '../services/cache/evicted.ts'
import type { ChatAgentUnitOfWork } from '../unit-of-work.ts'

/** Kept answers of all users together. */
const MOST = 50_000
const BATCH = 5_000

/** Takes kept answers away that have expired, and what is too much. */
export async function sweepAnswers(uow: ChatAgentUnitOfWork): Promise<void> {
  for (let swept = BATCH; swept === BATCH;) swept = await uow.system().write(({ cachedAnswers }) => cachedAnswers.sweep(BATCH))
  evicted(await uow.system().write(({ cachedAnswers }) => cachedAnswers.limitAll(MOST)))
}
