import { isDeepStrictEqual } from 'node:util'
import type { z } from 'zod'

type JsonSchema = z.core.JSONSchema.JSONSchema

/**
 * What of a new payload breaks the readers of an event, or the reading of those that the stream has kept for up to 7 days:
 * everything but a further field that may be missing.
 */
export function breakingChanges(before: JsonSchema, after: JsonSchema, path = 'data'): string[] {
  if (before.type !== 'object' || after.type !== 'object')
    return isDeepStrictEqual(withoutWords(before), withoutWords(after)) ? [] : [`${path} has another type`]
  const { properties: old = {}, required: oldRequired = [] } = before
  const { properties: fresh = {}, required = [] } = after
  const isStill = (name: string) => Object.hasOwn(fresh, name)
  return [
    ...Object.entries(old).flatMap(([name, field]) =>
      isStill(name) ? breakingChanges(asSchema(field), asSchema(fresh[name]), `${path}.${name}`) : [`${path}.${name} is gone`],
    ),
    ...oldRequired.flatMap((name) => (isStill(name) && !required.includes(name) ? [`${path}.${name} may be missing now`] : [])),
    ...required.flatMap((name) => (oldRequired.includes(name) ? [] : [`${path}.${name} is required, and was not there before`])),
  ]
}

const asSchema = (schema: JsonSchema | boolean | undefined): JsonSchema => (typeof schema === 'object' ? schema : {})

const withoutWords = ({ description: _description, examples: _examples, ...schema }: JsonSchema): JsonSchema => schema
