import { LIMITS } from '@youworker/contracts/limits'
import { z } from 'zod'

const RowRef = z.string().max(200).optional()

/** Of lists in OpenAI's protocol. A page has at most as many rows as fit into one reply; clients go on behind its last one. */
export const rowQuery = (limit: { readonly most: number; readonly usual: number }) =>
  z.object({
    limit: z.coerce.number().int().min(1).max(limit.most).default(limit.usual),
    order: z.enum(['asc', 'desc']).default('desc'),
    after: RowRef,
  })

export const pageSize = (limit: number): number => Math.min(limit, LIMITS.listRows)

export const rowList = <T extends z.ZodType>(row: T, name: string) =>
  z
    .object({
      object: z.literal('list'),
      data: z.array(row),
      first_id: z.string().nullable(),
      last_id: z.string().nullable(),
      has_more: z.boolean(),
    })
    .meta({ id: name })

export const listOfRows = <T extends { readonly id: string }>(data: T[], has_more: boolean) => ({
  object: 'list' as const,
  data,
  first_id: data[0]?.id ?? null,
  last_id: data.at(-1)?.id ?? null,
  has_more,
})
