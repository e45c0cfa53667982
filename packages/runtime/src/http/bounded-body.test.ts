import { expect, test } from 'vitest'
import { boundedBody, firstText } from './bounded-body.ts'

/** A body of so many bytes, and how many of them were asked for. */
function bodyOf(bytes: number) {
  const read = { bytes: 0, cancelled: false }
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (read.bytes >= bytes) return controller.close()
      read.bytes += 1_000
      controller.enqueue(new Uint8Array(1_000).fill(0x61))
    },
    cancel: () => void (read.cancelled = true),
  })
  return { response: new Response(body, { status: 500 }), read }
}
const tooLong = () => new Error('too long')

test('an endless body fails at its limit; one that fits is untouched', async () => {
  await expect(boundedBody(bodyOf(Infinity).response, 10_000, tooLong).text()).rejects.toThrow('too long')
  expect((await boundedBody(bodyOf(10_000).response, 10_000, tooLong).text()).length).toBe(10_000)
  expect(boundedBody(new Response(null, { status: 204 }), 1, tooLong).status).toBe(204)
})

test('of an endless error only the beginning is read', async () => {
  const { response, read } = bodyOf(Infinity)
  expect(await firstText(response, 1_500)).toBe('a'.repeat(1_500))
  expect(read.cancelled).toBe(true)
  expect(read.bytes).toBeLessThan(10_000)
  const broken = new ReadableStream({ start: (controller) => controller.error(new Error('cut')) })
  expect(await firstText(new Response(broken), 10)).toBe('')
})
