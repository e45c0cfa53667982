import { Id } from '@youworker/contracts/common'
import { AppError } from '@youworker/contracts/errors'
import { refusal } from '../../protocols/run-input.ts'

/** All ids are those of the run or session, so that nothing else is stored for them. */
export const responseId = (runId: string): string => `resp_${runId}`
export const conversationId = (sessionId: string): string => `conv_${sessionId}`

/** Throws `RUN_NOT_FOUND` for what no response can have as its id. */
export function runIdOf(response: string): string {
  const { success, data } = Id.safeParse(response.replace(/^resp_/, ''))
  if (success && response.startsWith('resp_')) return data
  throw new AppError('RUN_NOT_FOUND', 'There is no such response')
}

/** Throws `SESSION_NOT_FOUND` for what no conversation can have as its id. */
export function sessionRefOf(conversation: string): string {
  const ref = conversation.replace(/^conv_/, '')
  if (ref !== '' && ref !== conversation) return ref
  throw new AppError('SESSION_NOT_FOUND', 'There is no such conversation')
}

/** An item's id is `<prefix>_<id of its run>_<its place>`. Throws `VALIDATION_ERROR` for what no item can have as its id. */
export function runIdOfItem(item: string, field: string): string {
  const { success, data } = Id.safeParse(item.split('_')[1])
  if (success) return data
  throw noSuchItem(field)
}

export const noSuchItem = (field: string): AppError => refusal(field, 'There is no such item')

/** Of a UUIDv7 (RFC 9562 section 5.7), in seconds: the same wherever the run is read. */
export const createdAt = (runId: string): number =>
  Math.floor(Number.parseInt(runId.replaceAll('-', '').slice(0, 12), 16) / 1_000)
