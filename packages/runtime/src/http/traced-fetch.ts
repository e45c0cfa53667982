import { currentRequest } from '../current-request.ts'

/** `fetch` in the trace of the current request (W3C Trace Context): the other server learns its ids, and nothing else of it. */
export const tracedFetch: typeof fetch = (input, init) => {
  const { traceparent } = currentRequest()
  if (traceparent === undefined) return fetch(input, init)
  const headers = new Headers(init?.headers)
  headers.set('traceparent', traceparent)
  return fetch(input, { ...init, headers })
}
