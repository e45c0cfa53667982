import type { GenerationBuilder } from '../services/search/generations/generation-builder.ts'

type Job = Parameters<GenerationBuilder['run']>[0]
type Context = Parameters<GenerationBuilder['run']>[1]

/** The job handlers of a search index that is filled. */
export const indexJob = (builder: GenerationBuilder) => ({
  run: (job: Job, context: Context) => builder.run(job, context),
  giveUp: (job: Job, reason: string) => builder.giveUp(job, reason),
})
