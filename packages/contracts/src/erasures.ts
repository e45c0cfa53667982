import { z } from 'zod'
import { CursorPage, Id, listed, Time } from './common.ts'
import { request } from './define.ts'

/** On a thing that is deleted and can be restored. */
export const deletedFields = {
  deleted_at: Time.optional().meta({ description: 'Only on what is deleted.' }),
  restorable_until: Time.optional().meta({ description: 'Only on what is deleted: then it is erased.' }),
}

/** What an erasure took away. */
export const Erasure = z
  .object({
    id: Id,
    kind: z.enum(['document', 'session', 'group']),
    target_id: Id,
    reason: z.enum(['purge', 'expired', 'group']).meta({
      description: '`purge`: somebody asked for it. `expired`: the time to restore it was over. `group`: it went with its group.',
    }),
    removed: z.array(z.object({ where: z.string(), count: z.number().int().min(0) })),
    deleted_at: Time.nullable(),
    erased_at: Time,
    verified_at: Time.nullable().meta({ description: 'When all these places were searched and nothing was found.' }),
  })
  .meta({ id: 'Erasure' })
export type Erasure = z.infer<typeof Erasure>

export const ErasureFilter = z.object({ kind: Erasure.shape.kind.optional(), target_id: Id.optional() })

/** Each service keeps the receipts of what it erased. */
export const listErasures = (subject: string) =>
  request(subject, {
    input: CursorPage.extend(ErasureFilter.shape),
    output: z.object({ erasures: z.array(Erasure), ...listed }),
    repeatable: true,
  })
