import { afterAll, beforeAll, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { startTestHouse, type TestHouse } from '../../../infra/e2e/src/support/house.ts'
import type { Person } from '../../../infra/e2e/src/support/person.ts'

let house: TestHouse
let ada: Person
beforeAll(async () => {
  house = await startTestHouse({ tokensPerSecond: 5 })
  ada = await house.newPerson('ada')
}, 180_000)
afterAll(async () => { await house?.[Symbol.asyncDispose]() }, 60_000)

async function browser() {
  await house.root.post('/v1/admin/users', { username: 'bea' + Math.random().toString(36).slice(2), password: 'pass-word-123' })
  const users = `bea${Math.random().toString(36).slice(2)}`
  await house.root.post('/v1/admin/users', { username: users, password: 'pass-word-123' })
  const r = await fetch(`${house.api}/v1/auth/login`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ username: users, password: 'pass-word-123', token: true }) })
  const body = await r.json() as any
  const cookie = r.headers.getSetCookie().map((c) => c.split(';')[0]).join('; ')
  console.log(r.headers.getSetCookie(), Object.keys(body), body.expires_in)
  return { cookie, csrf: body.csrf_token, token: body.access_token }
}

test('revocation ends streams', async () => {
  const b = await browser()
  const r = await fetch(`${house.api}/v1/chat`, { method: 'POST', headers: { 'content-type': 'application/json', cookie: b.cookie, 'x-csrf-token': b.csrf }, body: JSON.stringify({ text_input: 'Tell me something long please' }) })
  expect(r.status).toBe(200)
  console.log([...r.headers].join('\n'))
  const ws = new WebSocket(`${house.api.replace('http', 'ws')}/v1/ws/chat/x`, { headers: { cookie: b.cookie } })
  const status = await new Promise((res) => { ws.on('unexpected-response', (_, a) => res(a.statusCode)); ws.on('error', () => {}); ws.on('open', () => res('open')) })
  expect(status).toBe(404)
  const s = await (await fetch(`${house.api}/v1/sessions`, { headers: { cookie: b.cookie } })).json() as any
  const ws2 = new WebSocket(`${house.api.replace('http', 'ws')}/v1/ws/chat/${s.sessions[0].id}`, ['bearer', b.token])
  await new Promise((res) => ws2.on('open', res))
  expect(ws2.protocol).toBe('bearer')
  const closed = new Promise((res) => ws2.on('close', (code, why) => res([code, why.toString(), Date.now()])))
  const reading = (async () => { let t = ''; for await (const c of r.body!) t += new TextDecoder().decode(c); return [t, Date.now()] as const })()
  await new Promise((r) => setTimeout(r, 700))
  const at = Date.now()
  const out = await fetch(`${house.api}/v1/auth/logout`, { method: 'POST', headers: { cookie: b.cookie, 'x-csrf-token': b.csrf } })
  expect(out.status).toBe(200)
  const [text, end] = await reading
  console.log(text, 'sse ended after', end - at, 'ws', await closed, at)
  expect(text).not.toContain('event: done')
  expect((await fetch(`${house.api}/v1/auth/me`, { headers: { cookie: b.cookie } })).status).toBe(401)
  expect((await fetch(`${house.api}/v1/auth/me`, { headers: { authorization: `Bearer ${b.token}` } })).status).toBe(401)
})

test('uploads twice with a key, wait=false, progress, range', async () => {
  const up = (key: string, wait: string) => {
    const form = new FormData()
    form.append('files', new Blob(['# Title\n\nText about otters.'], { type: 'text/markdown' }), 'notes/otters.md')
    form.append('files', new Blob(['# Title\n\nText about beavers.'], { type: 'text/markdown' }), 'notes/beavers.md')
    form.append('tags', '["a","b"]')
    return ada.fetch(`/v1/ingest/upload?wait=${wait}`, { method: 'POST', body: form, headers: { 'idempotency-key': key } })
  }
  const a = await up('k1', 'true'); const ab = await a.json() as any
  console.log(a.status, JSON.stringify(ab))
  const b = await up('k1', 'true'); const bb = await b.json() as any
  console.log('again', b.status, JSON.stringify(bb).slice(0, 300))
  const c = await up('k2', 'false'); const cb = await c.json() as any
  console.log(c.status, cb)
  const ev = await ada.fetch(`/v1/ingestion-runs/${cb.run_id}/events`)
  console.log(await ev.text())
  const list = await ada.get('/v1/documents')
  console.log(JSON.stringify(list.body).slice(0, 500))
  const id = list.body.documents[0].id
  const r = await ada.fetch(`/v1/documents/${id}/content`, { headers: { range: 'bytes=2-6' } })
  console.log(r.status, [...r.headers].join('\n'), await r.text())
  const h = await ada.fetch(`/v1/documents/${id}/content`, { method: 'HEAD' })
  console.log(h.status, h.headers.get('content-length'))
  console.log((await ada.fetch(`/v1/documents/${id}/content`, { headers: { range: 'bytes=2000-' } })).status)
  console.log(JSON.stringify((await ada.get('/v1/tasks')).body).slice(0, 900))
  console.log(JSON.stringify((await ada.get('/health/detailed')).body))
  console.log(JSON.stringify((await ada.get('/v1/auth/me')).body))
  console.log((await ada.get('/metrics')).body.match(/http_request_duration_seconds_count.*/g).slice(0, 5))
})

test('overhead', async () => {
  const g = (await ada.post('/v1/groups', { name: 'g' })).body
  const token = (await ada.post('/v1/auth/auto-login', { token: true })).body.access_token
  const url = `${house.api}/v1/groups/${g.id}`
  const one = async () => { const r = await fetch(url, { headers: { authorization: `Bearer ${token}` } }); await r.arrayBuffer(); return r.status }
  for (let i = 0; i < 300; i++) await one()
  const t = performance.now()
  for (let k = 0; k < 10; k++) await Promise.all(Array.from({ length: 50 }, one))
  console.log('ms each', (performance.now() - t) / 500)
})
