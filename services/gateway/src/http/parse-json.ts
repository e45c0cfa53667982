import type { IncomingHttpHeaders } from 'node:http'
import { AppError } from '@youworker/contracts/errors'

const MAX_DEPTH = 64
const utf8 = new TextDecoder('utf-8', { fatal: true })
const bad = (message: string, cause?: unknown) => new AppError('VALIDATION_ERROR', message, { cause })

/** Requires `Content-Type: application/json` in UTF-8: any page may send a form or plain text without a CORS preflight. */
export function requireJsonType(headers: IncomingHttpHeaders): void {
  const [type = '', ...parameters] = (headers['content-type'] ?? '').toLowerCase().split(';')
  const isJson = /^application\/(?:[\w.-]+\+)?json$/.test(type.trim())
  const charset = parameters.map((parameter) => parameter.trim()).find((parameter) => parameter.startsWith('charset='))
  const isUtf8 = charset === undefined || /^charset="?utf-?8"?$/.test(charset)
  const encoding = headers['content-encoding'] ?? 'identity'
  if (isJson && isUtf8 && encoding === 'identity') return
  throw new AppError('UNSUPPORTED_MEDIA_TYPE', 'Send the body as uncompressed UTF-8 with Content-Type: application/json')
}

/** Parses JSON that is safe to walk and to store: bounded in depth, without NUL and lone surrogates. */
export function parseJson(bytes: Uint8Array): unknown {
  const text = decode(bytes)
  requireShallow(text)
  const value = parse(text)
  if (text.includes('\\u')) requireText(value)
  return value
}

function decode(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes)
  } catch (cause) {
    throw bad('The body is not valid UTF-8', cause)
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw bad(`The body is not valid JSON: ${cause instanceof Error ? cause.message.slice(0, 120) : 'unreadable'}`, cause)
  }
}

const QUOTE = 0x22
const BACKSLASH = 0x5c

/** Offset of the quote that ends a string, or the end of the text. Passes a recording of megabytes in a thousandth of the time of a loop. */
function endOfString(text: string, from: number): number {
  for (let end = text.indexOf('"', from); end !== -1; end = text.indexOf('"', end + 1)) {
    let escapes = 0
    while (text.charCodeAt(end - 1 - escapes) === BACKSLASH) escapes++
    if (escapes % 2 === 0) return end
  }
  return text.length
}

/** Checked before parsing, because code that walks or serializes the value recurses. */
function requireShallow(text: string): void {
  let depth = 0
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (unit === QUOTE) i = endOfString(text, i + 1)
    else if (unit === 0x7b || unit === 0x5b) {
      if (++depth > MAX_DEPTH) throw bad(`The body is nested deeper than ${MAX_DEPTH} levels`)
    } else if (unit === 0x7d || unit === 0x5d) depth--
  }
}

const isText = (text: string): boolean => text.isWellFormed() && !text.includes('\0')

function requireText(value: unknown, path = ''): void {
  if (typeof value === 'string') {
    if (!isText(value)) throw notText(path)
  } else if (typeof value === 'object' && value !== null) {
    for (const [key, inner] of Object.entries(value)) {
      if (!isText(key)) throw notText(path)
      requireText(inner, path === '' ? key : `${path}.${key}`)
    }
  }
}

const notText = (field: string) =>
  new AppError('VALIDATION_ERROR', 'Text must not contain NUL or half of a surrogate pair', {
    details: [{ field, message: 'contains NUL or a lone surrogate' }],
  })

/** The same rule for query strings and path segments. */
export function requirePlainText(text: string, field: string): string {
  if (!isText(text)) throw notText(field)
  return text
}
