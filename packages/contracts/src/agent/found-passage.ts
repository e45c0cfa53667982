import { z } from 'zod'
import { Id } from '../common.ts'
import { Attributes } from '../documents/attribute-filter.ts'

/** A passage as the log tells it, perhaps cut. */
export const FoundPassage = z.object({
  document_id: Id,
  name: z.string(),
  score: z.number(),
  text: z.string(),
  attributes: Attributes,
})
export type FoundPassage = z.infer<typeof FoundPassage>
