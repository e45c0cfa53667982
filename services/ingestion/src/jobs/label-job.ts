import type { LabelChanger } from '../services/labels/label-changer.ts'

type Job = Parameters<LabelChanger['run']>[0]
type Context = Parameters<LabelChanger['run']>[1]
type Ended = Parameters<LabelChanger['giveUp']>[0]

/** The job handlers of a changed label. */
export const labelJob = (changer: LabelChanger) => ({
  run: (job: Job, context: Context) => changer.run(job, context),
  giveUp: (job: Ended, reason: string) => changer.giveUp(job, reason),
})
