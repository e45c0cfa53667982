import type { z } from 'zod'

/** A process and the schema of its settings. */
export interface ProcessSettings {
  readonly process: string
  readonly schema: z.ZodObject<Record<string, z.ZodType>>
}

interface Setting {
  readonly name: string
  readonly schema: z.ZodType
  readonly readers: { readonly process: string; readonly meaning: string }[]
}

/** Groups of settings by the prefix of the name, in the order of the file. */
const GROUPS: readonly (readonly [title: string, prefixes: readonly string[]])[] = [
  ['Every process', ['APP_ENV', 'LOG_LEVEL', 'HEALTH', 'SHUTDOWN']],
  ['Traces', ['OTEL', 'TRACES']],
  ['Servers', ['DATABASE', 'NATS', 'INDEX']],
  ['API', ['API', 'FRONTEND_ORIGIN', 'CONNECTIONS']],
  ['Secrets and protection', ['SECURITY']],
  ['Models', ['LLM', 'OFFLINE_MODEL']],
  ['Speech', ['AUDIO']],
  ['Agent and tools', ['AGENT', 'TOOLS', 'MCP']],
  ['Documents', ['INGEST', 'DISK', 'FETCH']],
  ['What users delete', ['DATA']],
]

const HEAD = `# Every setting, generated from the config schemas by \`npm run contracts:accept\`: what it means [unit] (who reads it), and its default.
# Those without a # at the beginning are required. Each may also come from a file: NAME_FILE=/path.
# \`npm start\` needs none of them; \`npm run --silent youworker -- keys generate\` prints the secrets of a production set.`

/** Renders .env.example. Throws for a setting without a description or a group, and for one with two defaults. */
export function renderEnvExample(processes: readonly ProcessSettings[]): string {
  const settings = collect(processes)
  const groups = GROUPS.map(([title, prefixes]) => {
    const members = settings.filter(({ name }) => prefixes.includes(prefixOf(name)))
    return [`# --- ${title} ---`, ...members.map((setting) => renderSetting(setting, processes.length))].join('\n\n')
  })
  const known = GROUPS.flatMap(([, prefixes]) => prefixes)
  const ungrouped = settings.filter(({ name }) => !known.includes(prefixOf(name)))
  if (ungrouped.length > 0) throw new Error(`no group in .env.example: ${ungrouped.map(({ name }) => name).join(', ')}`)
  return `${[HEAD, ...groups].join('\n\n')}\n`
}

/** OpenTelemetry's own names have no `__`. */
const prefixOf = (name: string): string => (name.startsWith('OTEL_') ? 'OTEL' : (name.split('__', 1)[0] ?? name))

function collect(processes: readonly ProcessSettings[]): Setting[] {
  const settings = new Map<string, Setting>()
  for (const { process, schema: env } of processes) {
    for (const [name, schema] of Object.entries(env.shape)) {
      const setting = settings.get(name) ?? { name, schema, readers: [] }
      if (whenUnset(schema) !== whenUnset(setting.schema)) throw new Error(`${name} has another default in ${process}`)
      setting.readers.push({ process, meaning: meaningOf(name, schema, process) })
      settings.set(name, setting)
    }
  }
  return [...settings.values()].toSorted((a, b) => a.name.localeCompare(b.name))
}

function meaningOf(name: string, schema: z.ZodType, process: string): string {
  const { description, unit } = schema.meta() ?? {}
  if (!description) throw new Error(`${name} of ${process} has no description`)
  return typeof unit === 'string' ? `${description} [${unit}]` : description
}

function renderSetting({ name, schema, readers }: Setting, everybody: number): string {
  const meanings = Map.groupBy(readers, ({ meaning }) => meaning)
  const lines = [...meanings].map(([meaning, group]) => {
    const who = group.length === everybody ? '' : ` (${group.map(({ process }) => process).join(', ')})`
    return `# ${meaning}${who}`
  })
  const value = whenUnset(schema)
  return [...lines, value === undefined ? `${name}=` : `# ${name}=${value}`].join('\n')
}

/** The default of a setting as text; `undefined` for a required one. */
function whenUnset(schema: z.ZodType): string | undefined {
  const parsed = schema.safeParse(undefined)
  if (!parsed.success) return undefined
  const value: unknown = parsed.data ?? ''
  return typeof value === 'string' ? value : Array.isArray(value) ? value.join(',') : JSON.stringify(value)
}
