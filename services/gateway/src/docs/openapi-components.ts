import { z } from 'zod'

export type Json = Record<string, unknown>

const DRAFT = { target: 'draft-2020-12', unrepresentable: 'any' } as const

/**
 * A default as text: generators take a field with a default for one that is always there, which it is in an answer and not in a request.
 */
function describeDefault(json: Json): void {
  if (!('default' in json)) return
  const text = `Default: ${JSON.stringify(json['default'])}`
  json['description'] = typeof json['description'] === 'string' ? `${json['description']}. ${text}` : text
  delete json['default']
}

/** The schemas of a description. Those with an id become components, once each. */
export class Components {
  readonly schemas: Json = {}

  of(schema: z.ZodType, io: 'input' | 'output'): Json {
    const override = io === 'input' ? ({ jsonSchema }: { jsonSchema: Json }) => describeDefault(jsonSchema) : () => undefined
    const json = z.toJSONSchema(schema, { ...DRAFT, io, override }) as Json & { $defs?: Json }
    const { $schema: _dialect, $defs = {}, ...own } = json
    for (const [name, definition] of Object.entries($defs)) this.#add(name, definition)
    return this.#referring(own)
  }

  /** Under a name of its own. */
  named(name: string, schema: z.ZodType, io: 'input' | 'output'): Json {
    return this.#add(name, this.of(schema, io))
  }

  #add(name: string, definition: unknown): Json {
    const json = this.#referring(definition)
    const known = this.schemas[name]
    if (known !== undefined && JSON.stringify(known) !== JSON.stringify(json)) throw new Error(`two schemas are named ${name}`)
    this.schemas[name] = json
    return { $ref: `#/components/schemas/${name}` }
  }

  #referring(json: unknown): Json {
    const text = JSON.stringify(json, (key, value: unknown) =>
      key === '$schema' || (key === 'id' && typeof value === 'string') ? undefined : value,
    )
    return JSON.parse(text.replaceAll('"$ref":"#/$defs/', '"$ref":"#/components/schemas/')) as Json
  }
}
