import type { RunProcessor } from '../services/runs/run-processor.ts'
import type { Gatherer } from '../services/sources/gatherer.ts'

type Job = Parameters<RunProcessor['giveUp']>[0] & Parameters<Gatherer['process']>[0]
type Context = Parameters<RunProcessor['process']>[1]

/** The job handlers of a run. */
export const runJob = (processor: RunProcessor) => ({
  run: (job: Job, context: Context) => processor.process(job, context),
  giveUp: (job: Job, reason: string) => processor.giveUp(job, reason),
})

/** The job handlers of a run that still fetches its files. */
export const gatherJob = (gatherer: Gatherer) => ({
  run: (job: Job, context: Context) => gatherer.process(job, context),
  giveUp: (job: Job, reason: string) => gatherer.giveUp(job, reason),
})
