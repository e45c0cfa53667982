import { z } from 'zod'

type JsonSchema = Record<string, unknown>

/** Not checked: expressions of a server would run over text of users, and formats are hints. */
const UNCHECKED: ReadonlySet<string> = new Set(['pattern', 'patternProperties', 'propertyNames', 'format'])
/** Under these the keys are names of properties. */
const NAMED: ReadonlySet<string> = new Set(['properties', '$defs', 'definitions', 'dependentSchemas'])
const MOST_ISSUES = 5

const readers = new WeakMap<JsonSchema, z.ZodType | undefined>()

/** What is wrong with the arguments of a call, for the model to read; `undefined` when they fit the tool's schema. */
export function problemOf(parameters: JsonSchema, args: Record<string, unknown>): string | undefined {
  const issues = readerOf(parameters)?.safeParse(args).error?.issues ?? []
  if (issues.length === 0) return undefined
  const told = issues.slice(0, MOST_ISSUES).map(({ path, message }) => `${path.join('.') || 'arguments'}: ${message}`)
  return `These arguments do not fit the tool's schema, so it was not called. ${told.join('; ')}`
}

/** A schema that cannot be read checks nothing: the tool says itself what it does not take. */
function readerOf(parameters: JsonSchema): z.ZodType | undefined {
  if (readers.has(parameters)) return readers.get(parameters)
  let reader: z.ZodType | undefined
  try {
    reader = z.fromJSONSchema(checkedPart(parameters))
  } catch {
    reader = undefined
  }
  readers.set(parameters, reader)
  return reader
}

function checkedPart(schema: JsonSchema): JsonSchema {
  const entries = Object.entries(schema).filter(([key]) => !UNCHECKED.has(key))
  return Object.fromEntries(entries.map(([key, value]) => [key, NAMED.has(key) ? ofEach(value) : ofAny(value)]))
}

const isObject = (value: unknown): value is JsonSchema => typeof value === 'object' && value !== null && !Array.isArray(value)

const ofEach = (named: unknown): unknown =>
  isObject(named) ? Object.fromEntries(Object.entries(named).map(([name, schema]) => [name, ofAny(schema)])) : named

function ofAny(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(ofAny)
  return isObject(value) ? checkedPart(value) : value
}
