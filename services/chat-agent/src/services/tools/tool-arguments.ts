import { cutText } from '@youworker/runtime/text/text'
import { SchemaCheck } from './schema-check.ts'

type JsonSchema = Record<string, unknown>

const MOST_ISSUES = 5

/** Stands for arguments that are no JSON object, with what the model wrote. */
const UNREADABLE = 'unreadable_arguments'
const SHOWN = 500

const checks = new WeakMap<JsonSchema, SchemaCheck>()

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
  const issues = checkOf(parameters).issuesOf(args)
  if (issues.length === 0) return undefined
  const told = issues.slice(0, MOST_ISSUES).map(({ path, message }) => `${path || 'arguments'}: ${cutText(message, SHOWN, '…')}`)
  return `These arguments do not fit the tool's schema, so it was not called. ${told.join('; ')}`
}

function checkOf(parameters: JsonSchema): SchemaCheck {
  const known = checks.get(parameters)
  if (known) return known
  const check = new SchemaCheck(parameters)
  checks.set(parameters, check)
  return check
}
