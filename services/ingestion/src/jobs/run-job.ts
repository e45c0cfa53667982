import type { RunProcessor } from '../services/runs/run-processor.ts'

type Job = Parameters<RunProcessor['giveUp']>[0]
type Context = Parameters<RunProcessor['process']>[1]

/** The job handlers of a run. */
export const runJob = (processor: RunProcessor) => ({
  run: (job: Job, context: Context) => processor.process(job, context),
  giveUp: (job: Job, reason: string) => processor.giveUp(job, reason),
})
