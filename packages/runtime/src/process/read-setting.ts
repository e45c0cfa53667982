import { readFileSync, statSync } from 'node:fs'

/** A key ring of many keys has some KiB. What is larger is not the file that was meant. */
const MAX_FILE_BYTES = 64 * 1024

/** Says which setting cannot be read and why; never the value, which may be a secret. */
export class UnreadableSetting extends Error {
  override readonly name = 'UnreadableSetting'
}

/**
 * The value of the setting NAME, or the content of the file that NAME_FILE names, without the line break at its end. An empty
 * variable counts as unset. Throws {@link UnreadableSetting}.
 */
export function readSetting(name: string, env: NodeJS.ProcessEnv): string | undefined {
  const value = env[name] || undefined
  const file = env[`${name}_FILE`] || undefined
  if (file === undefined) return value
  if (value !== undefined) throw new UnreadableSetting(`${name} and ${name}_FILE are both set; keep one of them`)
  return readValueFile(`${name}_FILE`, file)
}

function readValueFile(name: string, file: string): string {
  const refuse = (why: string, cause?: unknown) => new UnreadableSetting(`${name}: ${file} ${why}`, { cause })
  let content: string
  try {
    const { size } = statFile(file)
    if (size > MAX_FILE_BYTES) throw refuse(`is larger than ${MAX_FILE_BYTES / 1024} KiB; it must hold nothing but the value`)
    content = new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(file))
  } catch (error) {
    if (error instanceof UnreadableSetting) throw error
    throw refuse(WHY[codeOf(error)] ?? 'cannot be read as text', error)
  }
  const value = withoutLineEnd(content)
  if (value.trim() === '') throw refuse('is empty; write the value into it')
  return value
}

/** Editors end a file with a line break, which is no part of the value. */
export function withoutLineEnd(text: string): string {
  let end = text.length
  while (text[end - 1] === '\n' || text[end - 1] === '\r') end -= 1
  return text.slice(0, end)
}

/** A pipe would make the start wait for a writer. */
function statFile(file: string) {
  const stat = statSync(file)
  if (!stat.isFile()) throw Object.assign(new Error('not a file'), { code: 'EISDIR' })
  return stat
}

const codeOf = (error: unknown): string => String(error instanceof Error && 'code' in error ? error.code : '')

const WHY: Readonly<Record<string, string>> = {
  ENOENT: 'does not exist',
  ENOTDIR: 'does not exist',
  EACCES: 'cannot be read: this process has no permission to',
  EPERM: 'cannot be read: this process has no permission to',
  EISDIR: 'is no regular file',
}
