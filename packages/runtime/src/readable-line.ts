import { forTerminal } from './text/text.ts'

/** Of a stack and its causes, in all. */
const MAX_FRAMES = 30

/**
 * A JSON line of ours for people: `2026-01-02T03:04:05.678Z INFO group: request subject=rpc.group.v1.group.get status=200`, and the
 * stacks of an error below it. Other text stays as it is.
 */
export function readableLine(json: string): string {
  const fields = parse(json)
  if (!fields) return json
  const { timestamp, level, logger, service, message, err, error, ...rest } = fields
  const values = Object.entries(rest).map(
    ([name, value]) => ` ${name}=${typeof value === 'string' ? word(value) : JSON.stringify(value)}`,
  )
  const head = `${text(timestamp)} ${text(level)} ${text(service ?? logger)}: ${text(message)}${values.join('')}`
  return `${[head, ...stackOf(err ?? error).slice(0, MAX_FRAMES)].map((line) => forTerminal(line)).join('\n')}\n`
}

function parse(json: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(json)
    return typeof value === 'object' && value !== null ? { ...value } : undefined
  } catch {
    return undefined
  }
}

/** On one line, whatever stands in it. */
const text = (value: unknown): string =>
  value === undefined ? '' : (typeof value === 'string' ? value : JSON.stringify(value)).replaceAll(/[\r\n]+/g, ' ')

const word = (value: string): string => (/^[^\s"=]+$/.test(value) ? value : JSON.stringify(value))

function stackOf(error: unknown): string[] {
  if (typeof error !== 'object' || error === null) return error === undefined ? [] : [`    ${text(error)}`]
  const { stack, name, message, cause } = error as Readonly<Record<string, unknown>>
  const own = typeof stack === 'string' ? stack.split('\n') : [`${text(name)}: ${text(message)}`]
  return [...own.map((line) => `    ${line.trim()}`), ...(cause === undefined ? [] : ['  caused by', ...stackOf(cause)])]
}
