/** The response, whose body fails with `tooLong()` once it is longer than `max` bytes: a server may send without end. */
export function boundedBody(response: Response, max: number, tooLong: () => Error): Response {
  if (!response.body) return response
  let left = max
  const limit = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      left -= chunk.byteLength
      if (left >= 0) controller.enqueue(chunk)
      else controller.error(tooLong())
    },
  })
  return new Response(response.body.pipeThrough(limit), response)
}

/** The first `max` bytes of the body as text; what follows is not read. For errors of a server, so a body that breaks off is no failure. */
export async function firstText({ body }: Response, max: number): Promise<string> {
  const decoder = new TextDecoder()
  let text = ''
  let left = max
  try {
    for await (const chunk of body ?? []) {
      text += decoder.decode(chunk.subarray(0, left), { stream: true })
      left -= chunk.byteLength
      if (left <= 0) break
    }
  } catch {
    // What came says what there is to say.
  }
  return text
}
