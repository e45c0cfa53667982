import { once } from 'node:events'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { Browser } from './support/browser.ts'
import { startTestSystem, type TestSystem } from './support/system.ts'
import { readEvents } from './support/person.ts'

let system: TestSystem

beforeAll(async () => {
  system = await startTestSystem({ tokensPerSecond: 3 })
  await system.root.post('/v1/admin/users', { username: 'olga', password: 'a long password' })
})
afterAll(() => system[Symbol.asyncDispose]())

async function signedIn() {
  const browser = new Browser(system.api)
  const csrf = { 'x-csrf-token': await browser.signIn('olga', 'a long password') }
  return { browser, csrf, logOut: () => browser.call('POST', '/v1/auth/logout', undefined, csrf) }
}

test('signing out ends the session’s streams and cancels their runs', async () => {
  const { browser, csrf, logOut } = await signedIn()
  const second = new Browser(system.api)
  await second.signIn('olga', 'a long password')
  const response = await browser.fetch('/v1/chat', {
    method: 'POST',
    headers: csrf,
    body: JSON.stringify({ text_input: 'Who are you, in many words?' }),
  })
  const seen = []
  try {
    for await (const event of readEvents(response)) {
      seen.push(event)
      if (seen.filter(({ event }) => event === 'token').length === 2) await logOut()
    }
  } catch {
    // A stream that is cut may also end with an error.
  }
  expect(seen.some(({ event, data }) => event === 'done' && data.metadata.status === 'success')).toBe(false)
  const runId = seen[0]?.data.run_id
  await expect
    .poll(async () => (await second.call('GET', `/v1/runs/${runId}`)).body.status, { timeout: 20_000 })
    .toBe('cancelled')
})

test('signing out closes the WebSocket of that session only', async () => {
  const [one, two] = [await signedIn(), await signedIn()]
  const session = (await one.browser.call('POST', '/v1/sessions', {}, one.csrf)).body.external_id
  const open = async ({ browser }: typeof one) => {
    const socket = new WebSocket(`${system.api.replace('http', 'ws')}/v1/ws/chat/${session}`, {
      headers: { cookie: browser.cookieHeader, origin: system.frontendOrigin },
    })
    await once(socket, 'open')
    return socket
  }
  const [first, second] = [await open(one), await open(two)]
  const closed = once(first, 'close')
  await one.logOut()
  await closed
  second.send(JSON.stringify({ type: 'ping' }))
  const [data] = (await once(second, 'message')) as [Buffer]
  expect(JSON.parse(data.toString())).toMatchObject({ type: 'pong' })
  second.terminate()
})

test('requests during a sign-out all get a response', async () => {
  // An unhandled rejection would end the gateway's process; here it fails the test run.
  for (let round = 0; round < 5; round += 1) {
    const { browser, logOut } = await signedIn()
    const { cookieHeader } = browser
    const ask = () => fetch(`${system.api}/v1/auth/me`, { headers: { cookie: cookieHeader } }).then(({ status }) => status)
    const asked = Array.from({ length: 15 }, ask)
    const left = logOut()
    asked.push(...Array.from({ length: 15 }, ask))
    await left
    for (const status of await Promise.all(asked)) expect([200, 401]).toContain(status)
    await expect.poll(ask, { timeout: 10_000 }).toBe(401)
  }
})
