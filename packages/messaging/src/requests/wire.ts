import { AppError, ERROR_STATUS, type ErrorCode, ErrorDetail } from '@youworker/contracts/errors'
import { cutText } from '@youworker/runtime/text/text'
import { headers, type MsgHdrs } from 'nats'
import { z } from 'zod'

/** Header names. Values are printable ASCII, because the protocol ends lines with CR LF and defines no charset. */
export const HEADER = {
  token: 'Access-Token',
  traceparent: 'traceparent',
  correlationId: 'Correlation-Id',
  /** From where the request came to the gateway, and what the client calls itself. */
  clientAddress: 'Client-Address',
  userAgent: 'User-Agent',
  /** Ms that the receiver has to answer, counted from the receipt. */
  timeLeft: 'Time-Left',
  /** Epoch ms by the sender's clock: for requests that waited on their way, as before a frozen process. */
  deadline: 'Deadline',
  idempotencyKey: 'Idempotency-Key',
  /** The JSON part of a bytes request or reply, on one line. */
  args: 'Args',
  errorCode: 'Error-Code',
  /** JetStream drops a message whose id it has stored within its duplicate window. */
  messageId: 'Nats-Msg-Id',
} as const

const PRINTABLE = /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/
export const NO_BYTES: Uint8Array = new Uint8Array(0)
const encoder = new TextEncoder()
const utf8 = new TextDecoder('utf-8', { fatal: true })

/** One header line. Throws `VALIDATION_ERROR`, because some values come from clients (tokens, idempotency keys). */
export function line(name: string, value: string): string {
  if (!PRINTABLE.test(value)) throw new AppError('VALIDATION_ERROR', `${name} may only hold printable ASCII characters`)
  return `${name}: ${value}\r\n`
}

/** JSON on one line, with every character outside printable ASCII escaped. */
export const argsLine = (value: unknown): string =>
  `${HEADER.args}: ${JSON.stringify(value).replace(/[^\x20-\x7e]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)}\r\n`

/** Wraps header lines in the library's type. Building its map of arrays instead costs more than the rest of a request. */
export const linesOf = (lines: string): MsgHdrs =>
  Object.assign(headers(), { encode: () => encoder.encode(`NATS/1.0\r\n${lines}\r\n`) })

export const encodeJson = (value: unknown): Uint8Array => encoder.encode(JSON.stringify(value))

/** Throws a SyntaxError or TypeError when the data is not JSON in UTF-8. Empty data is an empty object. */
export const decodeJson = (data: Uint8Array): unknown => (data.length === 0 ? {} : JSON.parse(utf8.decode(data)))

/** Splits a bytes request or reply into its two parts. */
export function splitBytes(value: unknown): { bytes: Uint8Array; json: unknown } {
  const { bytes, ...json } = Object(value)
  return { bytes: bytes instanceof Uint8Array ? bytes : NO_BYTES, json }
}

const WireError = z.object({
  message: z.string().max(4_000),
  details: z.array(ErrorDetail).max(20).optional(),
  /** Seconds. */
  retry_after: z.number().optional(),
})

export const encodeError = ({ message, details, retryAfter }: AppError): Uint8Array =>
  encodeJson({
    message: cutText(message, 4_000),
    ...(details === undefined ? {} : { details: details.slice(0, 20) }),
    ...(retryAfter === undefined ? {} : { retry_after: retryAfter }),
  })

export function decodeError(code: string, data: Uint8Array): AppError {
  const { message, details, retry_after } = WireError.parse(decodeJson(data))
  return new AppError(isErrorCode(code) ? code : 'INTERNAL_ERROR', message, {
    ...(details === undefined ? {} : { details }),
    ...(retry_after === undefined ? {} : { retryAfter: retry_after }),
  })
}

const isErrorCode = (code: string): code is ErrorCode => Object.hasOwn(ERROR_STATUS, code)
