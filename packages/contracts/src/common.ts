import { z } from 'zod'
import { LIMITS } from './limits.ts'

export const Id = z.uuid()
/** Where in a recording something is said. */
export const SpokenTime = z
  .object({ start: z.number().min(0), end: z.number().min(0) })
  .meta({ description: 'Seconds of the recording.' })
export const spokenTime = (start: number | null, end: number | null) =>
  start === null || end === null ? {} : { time: { start, end } }
export const Time = z.iso.datetime({ offset: true })
export const Nothing = z.object({})

/** What a client attaches to a thing of its own; it means nothing here. */
export const Metadata = z
  .record(z.string().max(64), z.string().max(512))
  .refine((pairs) => Object.keys(pairs).length <= 16, 'takes at most 16 pairs')
export type Metadata = z.infer<typeof Metadata>

/** `limit` and `offset` also arrive as query strings, hence the coercion. */
export const Page = z.object({
  limit: z.coerce.number().int().min(1).max(LIMITS.listRows).default(50),
  offset: z.coerce.number().int().min(0).max(1_000_000).default(0),
})
export type Page = z.infer<typeof Page>

/** A page that may also begin behind the last row of the page before, which `next_after` names. */
export const CursorPage = Page.extend({
  after: z
    .string()
    .max(200)
    .regex(/^[\w-]+$/)
    .optional(),
})
export type CursorPage = z.infer<typeof CursorPage>

/** What a list says beside its rows. */
export const listed = {
  total: z.number().int().min(0).meta({ description: 'How many rows match; exact up to 10,000.' }),
  total_is_estimate: z.literal(true).optional().meta({ description: 'There are at least `total` rows.' }),
  next_after: z.string().optional().meta({ description: 'For `after` of the next page, when there is one.' }),
}

/**
 * Without the characters that turn the direction of text, and so could make a name read as another one (Unicode TR36, section 3):
 * people paste them without visionModel them. The same ones as in `cleanText`.
 */
export const withoutBidi = (name: string): string => name.replace(/[\u061C\u200E\u200F\u202A-\u202E\u2066-\u2069]/g, '')

/** One spelling for texts that differ only in case or in how accents are composed. */
export const foldCase = (text: string): string => text.normalize('NFC').toLowerCase()

/** One line of text from a user: trimmed, without control characters, and spelled as `spell` does. */
export const Line = (max: number, spell = (text: string) => text) =>
  z
    .string()
    .overwrite((text) => spell(withoutBidi(text).replace(/[\u2028\u2029]/g, ' ')))
    .trim()
    .min(1)
    .max(max)
    .regex(/^\P{Cc}*$/u, 'must not contain control characters')

/** State of a run or job, the same in every service. */
export const Status = z.enum(['pending', 'running', 'success', 'partial', 'failed', 'cancelled'])
export type Status = z.infer<typeof Status>
export const TERMINAL: readonly Status[] = ['success', 'partial', 'failed', 'cancelled']

/** A run of any service as `/v1/tasks` shows it. */
export const Task = z
  .object({
    id: Id,
    type: z.string(),
    state: Status,
    progress: z.object({ current: z.number().int(), total: z.number().int() }),
    result: z.record(z.string(), z.unknown()).optional(),
    error: z.string().optional(),
    attempts: z.number().int(),
    created_at: Time,
    updated_at: Time,
  })
  .meta({ id: 'Task' })
export type Task = z.infer<typeof Task>

export const TaskList = z.object({ tasks: z.array(Task), ...listed })

/** Characters. */
export const MAX_TAG = 64
/** Case-folded. */
export const Tags = z.array(Line(MAX_TAG, foldCase)).max(50)
