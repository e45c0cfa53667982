import { z } from 'zod'

/** OpenAI's names of how much a model thinks before it answers. */
export const ReasoningEffort = z.enum(['none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max'])
type ReasoningEffort = z.output<typeof ReasoningEffort>

const THINK = { none: 'off', minimal: 'low', low: 'low', medium: 'medium', high: 'high', xhigh: 'high', max: 'high' } as const

/** The parameter for it; none where nothing was said. */
export const thinkOf = (effort: ReasoningEffort | null | undefined) => (effort == null ? {} : { think: THINK[effort] })
