import { DocumentBuilder } from '../document-builder.ts'
import type { ParsedDocument } from '../parsed-document.ts'
import { PARSING } from '../parsing-parameters.ts'
import { Unreadable } from '../unreadable.ts'

/** A value whose text is longer is shown part by part, each below the keys that lead to it. UTF-16 units. */
const WHOLE = 1_200
const TITLES = ['title', 'name'] as const

/** Values that belong together stay together: each object or list that is not too long is one block below its keys. */
export function parseJson(text: string): ParsedDocument {
  const builder = new DocumentBuilder()
  const value = parsed(text)
  builder.title = titleOf(value)
  write(builder, value, 1)
  return builder.finish()
}

/** One block for each line. */
export function parseJsonLines(text: string): ParsedDocument {
  const builder = new DocumentBuilder()
  for (const line of text.split('\n')) builder.add(line)
  return builder.finish()
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    if (cause instanceof RangeError) throw cause
    throw new Unreadable('the content is not valid JSON; correct it, or send it as .txt', { cause })
  }
}

function write(builder: DocumentBuilder, value: unknown, depth: number): void {
  const entries = entriesOf(value)
  if (!entries || depth > PARSING.maxJsonDepth) return addValue(builder, value)
  let short: string[] = []
  let length = 0
  const flush = () => {
    if (short.length > 0) builder.add(short.join(',\n'), { kind: 'code' })
    short = []
    length = 0
  }
  for (const [key, child] of entries) {
    const shown = key === undefined ? show(child) : `${JSON.stringify(key)}: ${show(child)}`
    if (shown.length > WHOLE && entriesOf(child)) {
      flush()
      builder.heading(depth, key ?? titleOf(child) ?? '…')
      write(builder, child, depth + 1)
      continue
    }
    if (length + shown.length > WHOLE) flush()
    short.push(shown)
    length += shown.length
  }
  flush()
}

/** Strings of many lines are shown as they are. */
function addValue(builder: DocumentBuilder, value: unknown): void {
  builder.add(typeof value === 'string' ? value : show(value))
}

const show = (value: unknown): string =>
  typeof value === 'string' && value.includes('\n') ? value : JSON.stringify(value, null, 1)

function entriesOf(value: unknown): readonly (readonly [key: string | undefined, value: unknown])[] | undefined {
  if (Array.isArray(value)) return value.map((item: unknown) => [undefined, item] as const)
  return typeof value === 'object' && value !== null ? Object.entries(value) : undefined
}

function titleOf(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const found = TITLES.map((key) => new Map<string, unknown>(Object.entries(value)).get(key)).find(
    (title) => typeof title === 'string',
  )
  return typeof found === 'string' ? found : undefined
}
