import { readFile } from 'node:fs/promises'
import { Ajv, type ValidateFunction } from 'ajv'

/** Versions of Qdrant whose description of its API is here. */
export type QdrantVersion = '1.15' | '1.19'

interface Description {
  readonly operations: Readonly<Record<string, { readonly query: Readonly<Record<string, object>>; readonly body?: object }>>
  readonly definitions: object
}

interface OperationRules {
  readonly query: ReadonlyMap<string, ValidateFunction>
  readonly body: ValidateFunction | undefined
}

export interface AskedRequest {
  /** As in `PUT /collections/{collection_name}/points`. */
  readonly operation: string
  readonly query: URLSearchParams
  readonly body: unknown
}

/** What is wrong with a request by Qdrant's own description of its API (OpenAPI), in which nothing may stand beside what it names. */
export type FaultOf = (request: AskedRequest) => string | undefined

/** Compiling them takes a second. */
const known = new Map<QdrantVersion, Promise<FaultOf>>()

export function requestRules(version: QdrantVersion): Promise<FaultOf> {
  const rules = known.get(version) ?? readRules(version)
  known.set(version, rules)
  return rules
}

async function readRules(version: QdrantVersion): Promise<FaultOf> {
  const file = new URL(`./requests-${version}.snapshot.json`, import.meta.url)
  const { operations, definitions }: Description = JSON.parse(await readFile(file, 'utf8'))
  const ajv = new Ajv({ strict: false, coerceTypes: false })
  const compile = (schema: object) => ajv.compile({ ...schema, definitions })
  const rules = new Map<string, OperationRules>()
  const rulesOf = (operation: string): OperationRules | undefined => {
    const described = operations[operation]
    if (!described) return undefined
    const known = rules.get(operation)
    if (known) return known
    const query = new Map(Object.entries(described.query).map(([name, schema]) => [name, compile(schema)]))
    const made = { query, body: described.body && compile(described.body) }
    rules.set(operation, made)
    return made
  }
  return ({ operation, query, body }) => {
    const rule = rulesOf(operation)
    if (!rule) return `there is no ${operation}`
    for (const [name, text] of query) {
      const check = rule.query.get(name)
      if (!check) return `there is no parameter ${name}`
      if (!check(valueOf(text))) return `parameter ${name}: ${ajv.errorsText(check.errors)}`
    }
    if (!rule.body) return body === undefined ? undefined : 'no body is expected'
    return rule.body(body) ? undefined : ajv.errorsText(rule.body.errors)
  }
}

/** A parameter is written as text: its number or boolean is meant. */
function valueOf(text: string): unknown {
  if (text === 'true' || text === 'false') return text === 'true'
  return /^\d+$/.test(text) ? Number(text) : text
}
