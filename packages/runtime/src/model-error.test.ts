import { expect, test } from 'vitest'
import { isModelDown, ModelError, modelFailure } from './model-error.ts'

test.each([
  [404, 'unknown_model', 'LLM_ERROR', undefined, false],
  [400, 'refused', 'LLM_ERROR', undefined, false],
  [429, 'busy', 'SERVICE_UNAVAILABLE', 5, false],
  [500, 'failed', 'SERVICE_UNAVAILABLE', 5, true],
  [502, 'away', 'SERVICE_UNAVAILABLE', 5, true],
  [503, 'away', 'SERVICE_UNAVAILABLE', 5, true],
  [504, 'away', 'SERVICE_UNAVAILABLE', 5, true],
  [undefined, 'failed', 'SERVICE_UNAVAILABLE', 5, true],
] as const)('status %s of a model server is %s: %s', (status, failure, code, retryAfter, isDown) => {
  const error = new ModelError(modelFailure(status), 'x')
  expect(error).toMatchObject({ failure, code, retryAfter })
  expect(isModelDown(error)).toBe(isDown)
})
