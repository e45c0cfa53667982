import { z } from 'zod'

/** What a client may ask of a deletion. */
export const Purge = z.object({
  purge: z
    .stringbool()
    .default(false)
    .meta({ description: 'Erase it at once, also when it is deleted already. Without it, it can be restored for a while.' }),
})

/** What a client may ask of a list. */
export const IncludeDeleted = z.object({
  include_deleted: z.stringbool().default(false).meta({ description: 'Also what is deleted and the caller may restore.' }),
})
