import { AppError } from '@youworker/contracts/errors'

/** What a client may send instead of text, with the setting that it will need. */
const SETTINGS = { audio: 'AUDIO__BASE_URL', images: 'LLM__VISION_MODEL' } as const
/** In seconds: another version does it, and none is installed sooner. */
const RETRY_AFTER = 3_600

/** `field` is the part of the request that holds it. */
export function notServed(what: keyof typeof SETTINGS, field: string): AppError {
  const message = `This version takes no ${what} yet, so ${SETTINGS[what]} cannot be set: send text`
  return new AppError('SERVICE_UNAVAILABLE', message, {
    details: [{ field, message: 'is not taken yet' }],
    retryAfter: RETRY_AFTER,
  })
}
