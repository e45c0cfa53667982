import { cutText } from '@youworker/runtime/text/text'
import { z } from 'zod'

type JsonSchema = Record<string, unknown>

/** Not checked: expressions of a server would run over text of users, and formats are hints. */
const UNCHECKED: ReadonlySet<string> = new Set(['pattern', 'patternProperties', 'propertyNames', 'format'])
/** Under these the keys are names of properties. */
const NAMED: ReadonlySet<string> = new Set(['properties', '$defs', 'definitions', 'dependentSchemas'])
const MOST_ISSUES = 5

/** Stands for arguments that are no JSON object, with what the model wrote. */
const UNREADABLE = 'unreadable_arguments'
const SHOWN = 500

const readers = new WeakMap<JsonSchema, z.ZodType | undefined>()

/** The arguments of a call as a model wrote them. Those that are no JSON object fit no tool. */
export function readArguments(json: string): Record<string, unknown> {
  if (json.trim() === '') return {}
  try {
    const value: unknown = JSON.parse(json)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value }
  } catch {
    // Said below.
  }
  return { [UNREADABLE]: cutText(json, SHOWN, '…') }
}

/** What is wrong with the arguments of a call, for the model to read; `undefined` when they fit the tool's schema. */
export function problemOf(parameters: JsonSchema, args: Record<string, unknown>): string | undefined {
  if (UNREADABLE in args) return 'The arguments of this call are not one JSON object, so it was not made. Write them as one.'
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
