import { cleanText } from '@youworker/runtime/text/text'

/** UTF-16 units as JSON. A model is given the schema of every tool with every call, in the same window as the conversation. */
const MAX_SCHEMA = 8 * 1024
const MAX_STRING = 1_024

type JsonSchema = Record<string, unknown>

/** A foreign server's JSON Schema with its texts cleaned; `undefined` when it is too large or nested too deeply. */
export function cleanSchema(schema: JsonSchema): JsonSchema | undefined {
  try {
    const clean = (_key: string, value: unknown) => (typeof value === 'string' ? cleanText(value, { max: MAX_STRING }) : value)
    const json = JSON.stringify(schema, clean)
    return json.length > MAX_SCHEMA ? undefined : (JSON.parse(json) as JsonSchema)
  } catch (error) {
    // The stack is used up.
    if (error instanceof RangeError) return undefined
    throw error
  }
}
