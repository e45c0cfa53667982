import { z } from 'zod'

/** What a client attaches to a file of a store. */
const AttributeValue = z.union([z.string().max(512), z.number(), z.boolean()])
export const Attributes = z
  .record(z.string().min(1).max(64), AttributeValue)
  .refine((pairs) => Object.keys(pairs).length <= 16, 'takes at most 16 pairs')
export type Attributes = z.infer<typeof Attributes>

const Key = z.string().min(1).max(64)
const Comparison = z
  .union([
    z.object({ type: z.enum(['eq', 'ne']), key: Key, value: AttributeValue }),
    z.object({ type: z.enum(['gt', 'gte', 'lt', 'lte']), key: Key, value: z.union([z.string().max(512), z.number()]) }),
    z.object({
      type: z.enum(['in', 'nin']),
      key: Key,
      value: z
        .array(z.union([z.string().max(512), z.number()]))
        .min(1)
        .max(100),
    }),
  ])
  .meta({ id: 'AttributeComparison' })
export type Comparison = z.infer<typeof Comparison>

export type AttributeFilter = Comparison | { type: 'and' | 'or'; filters: AttributeFilter[] }

const MAX_DEPTH = 5
const MAX_FILTERS = 100

/** Filters that are combined from filters, so deep and no deeper: their size is bounded before anything is compared. */
const nested = (depth: number): z.ZodType<AttributeFilter, AttributeFilter> =>
  depth === 0
    ? Comparison
    : z.union([
        Comparison,
        z.object({
          type: z.enum(['and', 'or']),
          filters: z
            .array(nested(depth - 1))
            .min(1)
            .max(MAX_FILTERS),
        }),
      ])

export const AttributeFilter = nested(MAX_DEPTH - 1)
  .refine((filter) => countOf(filter) <= MAX_FILTERS, `compares at most ${MAX_FILTERS} times`)
  .meta({ id: 'AttributeFilter', description: 'Of attributes of files: comparisons, and what `and` and `or` make of them.' })

const countOf = (filter: AttributeFilter): number =>
  'filters' in filter ? filter.filters.reduce((sum, each) => sum + countOf(each), 0) : 1

/** Whether the attributes pass. A missing one equals nothing and is not greater or less than anything. */
export function passes(attributes: Attributes, filter: AttributeFilter): boolean {
  if ('filters' in filter) {
    const isPassed = (each: AttributeFilter) => passes(attributes, each)
    return filter.type === 'and' ? filter.filters.every(isPassed) : filter.filters.some(isPassed)
  }
  return compares(Object.hasOwn(attributes, filter.key) ? attributes[filter.key] : undefined, filter)
}

function compares(actual: Attributes[string] | undefined, { type, value }: Comparison): boolean {
  switch (type) {
    case 'eq':
      return actual === value
    case 'ne':
      return actual !== value
    case 'in':
      return value.some((each) => each === actual)
    case 'nin':
      return value.every((each) => each !== actual)
    case 'gt':
      return isComparable(actual, value) && actual > value
    case 'gte':
      return isComparable(actual, value) && actual >= value
    case 'lt':
      return isComparable(actual, value) && actual < value
    case 'lte':
      return isComparable(actual, value) && actual <= value
  }
}

/** Numbers with numbers, texts with texts. */
const isComparable = (actual: Attributes[string] | undefined, value: string | number): actual is string | number =>
  typeof actual === typeof value
