import { type SchemaDraft, Validator } from '@cfworker/json-schema'

type JsonSchema = Record<string, unknown>

interface SchemaIssue {
  /** Names joined by dots; empty for the whole. */
  readonly path: string
  readonly message: string
}

/** Not checked: expressions of a server would run over text of users, formats are hints, and many items take too long to be compared. */
const UNCHECKED: ReadonlySet<string> = new Set(['pattern', 'patternProperties', 'propertyNames', 'format', 'uniqueItems'])
/** They are about what `patternProperties` leaves. */
const BESIDE_PATTERNS: ReadonlySet<string> = new Set(['additionalProperties', 'unevaluatedProperties'])
/** Under these the keys are names of properties. */
const NAMED: ReadonlySet<string> = new Set(['properties', '$defs', 'definitions', 'dependentSchemas', 'dependencies'])
/** Values, which only look like schemas. */
const VALUES: ReadonlySet<string> = new Set(['const', 'enum', 'default', 'examples'])
/** Parts of a schema that are looked at for one call: one that refers to itself could take any time. */
const MOST_LOOKS = 20_000

/** Finds what is wrong with a value. What a schema leaves open, or cannot be decided, is no issue: the tool says itself what it does not take. */
export class SchemaCheck {
  readonly #validator: Validator | undefined
  #looks = 0

  /** `schema`: JSON Schema of any draft. */
  constructor(schema: JsonSchema) {
    const draft = draftOf(schema)
    try {
      this.#validator = new Validator(this.#checkedPart(schema, draft), draft, false)
    } catch {
      this.#validator = undefined
    }
  }

  issuesOf(value: unknown): SchemaIssue[] {
    this.#looks = 0
    try {
      const errors = this.#validator?.validate(value).errors ?? []
      // An error of a part follows that of the whole, which says less.
      const inner = errors.filter(({ keywordLocation }, at) => !errors[at + 1]?.keywordLocation.startsWith(`${keywordLocation}/`))
      return inner.map(({ instanceLocation, error }) => ({ path: pathOf(instanceLocation), message: error }))
    } catch {
      // It refers to what is not there, or to itself without end.
      return []
    }
  }

  #look(): undefined {
    this.#looks += 1
    if (this.#looks > MOST_LOOKS) throw new RangeError('the schema takes too long')
  }

  #checkedPart(schema: JsonSchema, draft: SchemaDraft): JsonSchema {
    const hasPatterns = 'patternProperties' in schema
    const isChecked = ([key, value]: readonly [string, unknown]) =>
      !UNCHECKED.has(key) &&
      !(hasPatterns && BESIDE_PATTERNS.has(key)) &&
      // Elsewhere a boolean here is from an older draft than the schema names.
      !(draft !== '4' && key.startsWith('exclusive') && typeof value === 'boolean') &&
      !(key === 'type' && ![value].flat().some(isType)) &&
      !(key === '$ref' && !String(value).startsWith('#'))
    const entries = Object.entries(schema).filter(isChecked)
    const part = (key: string, value: unknown): unknown => {
      if (VALUES.has(key)) return value
      if (key === 'type') return [value, schema['nullable'] === true ? 'null' : []].flat().filter(isType)
      return NAMED.has(key) && isObject(value)
        ? Object.fromEntries(Object.entries(value).map(([name, each]) => [name, this.#ofAny(each, draft)]))
        : this.#ofAny(value, draft)
    }
    const checked = Object.fromEntries(entries.map(([key, value]) => [key, part(key, value)]))
    // Read by the validator each time it looks at this part.
    return Object.defineProperty(checked, '$recursiveAnchor', { get: () => this.#look() })
  }

  #ofAny(value: unknown, draft: SchemaDraft): unknown {
    if (Array.isArray(value)) return value.map((each) => this.#ofAny(each, draft))
    return isObject(value) ? this.#checkedPart(value, draft) : value
  }
}

const TYPES: readonly unknown[] = ['string', 'number', 'integer', 'boolean', 'object', 'array', 'null']
const isType = (name: unknown): boolean => TYPES.includes(name)

const isObject = (value: unknown): value is JsonSchema => typeof value === 'object' && value !== null && !Array.isArray(value)

/** MCP 2025-11-25, JSON Schema Usage: 2020-12, unless the schema says otherwise. */
function draftOf({ $schema }: JsonSchema): SchemaDraft {
  const said = typeof $schema === 'string' ? $schema : ''
  if (said.includes('draft-04')) return '4'
  if (said.includes('draft-06') || said.includes('draft-07')) return '7'
  return said.includes('2019-09') ? '2019-09' : '2020-12'
}

/** RFC 6901 in a fragment. */
const pathOf = (pointer: string): string =>
  pointer
    .split('/')
    .slice(1)
    .map((part) => decodeURIComponent(part).replaceAll('~1', '/').replaceAll('~0', '~'))
    .join('.')
