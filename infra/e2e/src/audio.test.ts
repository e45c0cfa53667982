import { once } from 'node:events'
import type { Socket } from 'node:net'
import { ServerFrame } from '@youworker/gateway/server-frame'
import { recordingOf, startAudioServer, type TestAudioServer, wordsIn } from '@youworker/test-kit/audio-server'
import OpenAI from 'openai'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { type Person, readEvents } from './support/person.ts'
import { clientOf } from './support/responses.ts'
import { startTestSystem, type TestSystem } from './support/system.ts'

const KEY = 'audio-key-9f2c'
const QUESTION = 'Through how many countries does the Danube flow?'
let audio: TestAudioServer
let system: TestSystem
let ada: Person
let bob: Person

beforeAll(async () => {
  audio = await startAudioServer()
  const env = { AUDIO__BASE_URL: audio.url, AUDIO__API_KEY: KEY, AUDIO__TIMEOUT_MS: '1500', AUDIO__CONCURRENCY: '3' }
  system = await startTestSystem({ env })
  ada = await system.newPerson('ada')
  bob = await system.newPerson('bob')
  await ada.upload([{ name: 'river.md', content: '# Rivers\n\nThe Danube flows through ten countries.\n' }])
}, 120_000)
afterEach(() => Object.assign(audio.moods, { transcription: 'well', speech: 'well' }))
afterAll(async () => {
  await system?.[Symbol.asyncDispose]()
  await audio?.[Symbol.asyncDispose]()
})

async function openSocket(session: string): Promise<WebSocket> {
  const options = { headers: { 'x-api-key': ada.key ?? '' } }
  const socket = new WebSocket(`${system.api.replace('http', 'ws')}/v1/ws/chat/${session}`, options)
  await once(socket, 'open')
  return socket
}

/** What the socket is spoken over, which the library has under this name. */
const connectionOf = (socket: WebSocket) => (socket as unknown as { readonly _socket: Socket })._socket

/** The types of the frames of one answer. */
function framesUntilDone(socket: WebSocket): Promise<string[]> {
  const types: string[] = []
  const { promise, resolve, reject } = Promise.withResolvers<string[]>()
  socket.on('message', (data: Buffer) => {
    types.push(String(JSON.parse(data.toString()).type))
    if (types.at(-1) === 'done') resolve(types)
  })
  socket.once('close', (code) => reject(new Error(`closed with ${code}`)))
  return promise
}

const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64')
const said = (words: string, start?: Uint8Array) => base64(recordingOf(words, start))
const recordings = () => audio.asked.flatMap((one) => (one.kind === 'transcription' ? [one] : []))
const header = (text: string) => Buffer.from(text, 'latin1')
/** Two frames of 48 kbit/s at 24 kHz. */
const mp3Frames = () =>
  Buffer.concat([header('\xFF\xF3\x64\xC0'), Buffer.alloc(140), header('\xFF\xF3\x64\xC0'), Buffer.alloc(140)])

test('a voice turn is heard, answered from the documents and spoken', async () => {
  const turn = await ada.post('/v1/voice-turn', { audio_b64: said(QUESTION), sample_rate: 16_000 })
  expect(turn).toMatchObject({
    status: 200,
    body: {
      transcript: QUESTION,
      assistant_text: expect.stringContaining('ten countries'),
      stt_language: 'english',
      stt_confidence: 0.9,
      audio_sample_rate: 24_000,
      citations: [{ title: 'Rivers' }],
      run_id: expect.any(String),
    },
  })
  const spoken = Buffer.from(turn.body.audio_b64, 'base64')
  // A player needs the true length, which the server did not know.
  expect(spoken.readUInt32LE(40)).toBe(spoken.length - 44)
  expect(wordsIn(spoken)).toMatch(/^The Danube flows through ten countries/)
  expect(wordsIn(spoken)).not.toContain('[1]')
  expect(audio.asked.map(({ authorization }) => authorization)).toEqual([`Bearer ${KEY}`, `Bearer ${KEY}`])
  expect(audio.asked).toMatchObject([
    { fields: { model: 'whisper-1', response_format: 'verbose_json' }, file: { name: 'speech.wav', type: 'audio/wav' } },
    { body: { model: 'tts-1', voice: 'alloy', response_format: 'wav' } },
  ])
  const { messages } = (await ada.get(`/v1/sessions/${turn.body.session_id}`)).body
  expect(messages[0]).toMatchObject({ role: 'user', content: QUESTION })
  const run = (await ada.get(`/v1/runs/${turn.body.run_id}`)).body
  expect(run.answer).toMatchObject({ transcript: QUESTION })
  expect(run.answer.audio_b64).toBeUndefined()
})

test.each([
  ['webm', '\x1A\x45\xDF\xA3', 'audio/webm'],
  ['ogg', 'OggS', 'audio/ogg'],
  ['flac', 'fLaC', 'audio/flac'],
  ['m4a', '\0\0\0\x20ftypM4A ', 'audio/mp4'],
  ['mp3', 'ID3\x04\0\0\0\0\0\0', 'audio/mpeg'],
])('%s is recognised by its content', async (format, start, type) => {
  const bytes = Buffer.concat([header(start), ...(format === 'mp3' ? [mp3Frames()] : [])])
  const data = `data:audio/whatever;codecs=opus;base64,${said('Hello there', bytes)}`
  const answer = await ada.post('/v1/unified-chat', { audio_b64: data, stream: false, enable_tools: false })
  expect(answer).toMatchObject({ status: 200, body: { transcript: 'Hello there', audio_b64: null } })
  expect(recordings().at(-1)?.file).toMatchObject({ name: `speech.${format}`, type })
})

test('samples without a header get one, and text beside a recording comes first', async () => {
  const samples = Buffer.concat([header('\xFF\xFB\x64\xC0'), Buffer.alloc(8_000, 3), header('SAID:in samples\0')])
  const body = { text_input: 'Listen:', audio_b64: base64(samples), sample_rate: 16_000, stream: false, enable_tools: false }
  const answer = await ada.post('/v1/unified-chat', body)
  expect(answer.body).toMatchObject({ transcript: 'Listen:\n\nin samples' })
  const { bytes } = recordings().at(-1)?.file ?? { bytes: Buffer.alloc(0) }
  expect(bytes.toString('latin1', 0, 4)).toBe('RIFF')
  expect([bytes.readUInt32LE(24), bytes.readUInt16LE(34), bytes.readUInt32LE(40)]).toEqual([16_000, 16, samples.length])
})

test('the stream tells what was understood, and its end has the speech; who reads it later has the text', async () => {
  const body = { audio_b64: said(QUESTION), expect_audio: true }
  const text = await (await ada.fetch('/v1/unified-chat', jsonPost(body))).text()
  const events = [...text.matchAll(/^event: (.+)\ndata: (.+)$/gm)].map(([, event, data]) => ({
    event,
    data: JSON.parse(data ?? ''),
  }))
  const names = events.map(({ event }) => event)
  expect(names.slice(0, 3)).toEqual(['run', 'status', 'transcript'])
  expect(events[2]?.data).toEqual({ text: QUESTION, language: 'english', confidence: 0.9 })
  expect(names.filter((name) => name === 'done')).toHaveLength(1)
  const done = events.at(-1)
  expect(done).toMatchObject({ event: 'done', data: { transcript: QUESTION, audio_sample_rate: 24_000 } })
  expect(wordsIn(Buffer.from(done?.data.audio_b64, 'base64'))).toContain('ten countries')
  const again = await (await ada.fetch(`/v1/runs/${events[0]?.data.run_id}/events`)).text()
  expect(again).toContain('event: transcript')
  expect(again).not.toContain('audio_b64')
})

const jsonPost = (body: object, headers: Record<string, string> = {}) => ({
  method: 'POST',
  headers: { 'content-type': 'application/json', ...headers },
  body: JSON.stringify(body),
})

test('an audio server that fails to speak takes nothing of the answer', async () => {
  for (const [mood, why] of [
    [500, '500'],
    ['hang', 'did not answer in 1.5 s'],
    ['huge', 'without end'],
    ['nonsense', 'no WAV'],
  ] as const) {
    audio.moods.speech = mood
    const { events, done } = await ada.chat(QUESTION, { expect_audio: true })
    const note = { level: 'warning', msg: expect.stringContaining(why) }
    expect(done).toMatchObject({ content: expect.stringContaining('ten countries'), metadata: { status: 'success' } })
    expect(done.logs).toContainEqual(note)
    expect(events.filter(({ event }) => event === 'log').map(({ data }) => data)).toContainEqual(note)
    expect(done.audio_b64).toBeUndefined()
  }
  await expect.poll(() => audio.open).toBe(0)
})

test('what cannot be heard is refused with what to do, before anything is stored', async () => {
  const before = (await ada.get('/v1/sessions')).body.total
  const ask = (body: object) => ada.post('/v1/unified-chat', { stream: false, ...body })
  const failures = async (mood: TestAudioServer['moods']['transcription']) => {
    audio.moods.transcription = mood
    const { status, headers, body } = await ask({ audio_b64: said('Hello') })
    expect(body.error.message).not.toContain('secret words')
    return [status, body.error.code, Number(headers.get('retry-after')) > 0]
  }
  expect(await failures('silence')).toEqual([400, 'VALIDATION_ERROR', false])
  expect(await failures(401)).toEqual([502, 'EXTERNAL_SERVICE_ERROR', false])
  expect(await failures(500)).toEqual([502, 'EXTERNAL_SERVICE_ERROR', false])
  expect(await failures('nonsense')).toEqual([502, 'EXTERNAL_SERVICE_ERROR', false])
  expect(await failures(429)).toEqual([503, 'SERVICE_UNAVAILABLE', true])
  expect(await failures('hang')).toEqual([504, 'DEADLINE_EXCEEDED', true])
  audio.moods.transcription = 'well'
  for (const [body, status, param] of [
    [{ audio_b64: 'no base64!' }, 400, 'audio_b64'],
    [{ audio_b64: 'AAAAA' }, 400, 'audio_b64'],
    [{ audio_b64: base64(Buffer.from('Just some text that somebody sends as a recording')) }, 415, 'audio_b64'],
    [{ audio_b64: base64(Buffer.from('%PDF-1.7 \0\0')), sample_rate: 16_000 }, 415, 'audio_b64'],
    [{ audio_b64: base64(Buffer.alloc(9_000)) }, 415, 'audio_b64'],
    [{ audio_b64: base64(Buffer.alloc(9_001)), sample_rate: 16_000 }, 400, 'audio_b64'],
    [{ audio_b64: base64(Buffer.alloc(9_000)), sample_rate: 1 }, 400, 'sample_rate'],
    [{ audio_b64: base64(Buffer.alloc(100)), sample_rate: 16_000 }, 400, 'audio_b64'],
    [{ audio_b64: base64(Buffer.alloc(10 * 1024 * 1024 + 2)), sample_rate: 16_000 }, 413, null],
  ] as const) {
    const answer = await ask(body)
    expect([answer.status, answer.body.error.param]).toEqual([status, param])
  }
  expect((await ada.get('/v1/sessions')).body.total).toBe(before)
  expect(system.logs()).not.toContain('secret words')
})

test('a hung audio server holds back nobody but who asked it, and no more of one user than two', async () => {
  audio.moods.transcription = 'hang'
  const recording = { audio_b64: said('Hello'), stream: false }
  const hung = [1, 2].map(() => ada.post('/v1/unified-chat', recording))
  await expect.poll(() => audio.open).toBe(2)
  const third = await ada.post('/v1/unified-chat', recording)
  expect([third.status, third.body.error.code]).toEqual([429, 'RATE_LIMIT_EXCEEDED'])
  audio.moods.transcription = 'well'
  expect((await bob.post('/v1/unified-chat', { ...recording, enable_tools: false })).status).toBe(200)
  audio.moods.transcription = 'hang'
  const more = bob.post('/v1/unified-chat', recording)
  await expect.poll(() => audio.open).toBe(3)
  const full = await bob.post('/v1/unified-chat', recording)
  expect([full.status, full.body.error.code, Number(full.headers.get('retry-after')) > 0]).toEqual([
    503,
    'SERVICE_UNAVAILABLE',
    true,
  ])
  expect((await Promise.all([...hung, more])).map(({ status }) => status)).toEqual([504, 504, 504])
})

test('a client that leaves lets go of the audio server', async () => {
  audio.moods.transcription = 'hang'
  const leaving = new AbortController()
  const body = { audio_b64: said('Hello'), stream: false }
  const asked = ada.fetch('/v1/unified-chat', { ...jsonPost(body), signal: leaving.signal }).catch(() => undefined)
  await expect.poll(() => audio.open).toBe(1)
  leaving.abort()
  await asked
  await expect.poll(() => audio.open).toBe(0)
})

test('a recording that is sent again with its key is one run, also when it is understood in other words', async () => {
  const send = (text_input: string) => {
    audio.moods.transcription = 'mumble'
    const body = { audio_b64: said('first'), stream: false, enable_tools: false, text_input }
    return ada.post('/v1/unified-chat', body, { 'idempotency-key': 'voice-1' })
  }
  const first = await send('Same')
  const second = await send('Same')
  expect(second.body.session_id).toBe(first.body.session_id)
  expect(second.body.transcript).toBe(first.body.transcript)
  expect((await send('Other')).body.error.code).toBe('IDEMPOTENCY_MISMATCH')
})

test('a recording on the socket is heard and answered in speech', async () => {
  const session = (await ada.post('/v1/sessions', {})).body.external_id as string
  const socket = new WebSocket(`${system.api.replace('http', 'ws')}/v1/ws/chat/${session}`, {
    headers: { 'x-api-key': ada.key ?? '' },
  })
  // oxlint-disable-next-line typescript/no-explicit-any
  const frames: any[] = []
  socket.on('message', (data: Buffer) => frames.push(JSON.parse(data.toString())))
  await once(socket, 'open')
  const until = (type: string, n = 1) =>
    expect.poll(() => frames.filter((frame) => frame.type === type).length, { timeout: 30_000 }).toBe(n)
  // Larger than any other frame may be.
  const large = Buffer.concat([recordingOf(QUESTION), Buffer.alloc(2 * 1024 * 1024)])
  socket.send(JSON.stringify({ type: 'audio', audio_data: base64(large), sample_rate: 16_000 }))
  await until('done')
  const types = frames.map(({ type }) => type).filter((type, n, all) => type !== all[n - 1])
  expect(types.indexOf('transcript')).toBeGreaterThan(0)
  expect(types.slice(-2)).toEqual(['audio', 'done'])
  expect(frames.find(({ type }) => type === 'transcript')).toMatchObject({ text: QUESTION, seq: expect.any(Number) })
  const spoken = frames.find(({ type }) => type === 'audio')
  expect(spoken).toMatchObject({ seq: null, sample_rate: 24_000, run_id: frames.at(-1).run_id })
  expect(wordsIn(Buffer.from(spoken.audio_data, 'base64'))).toContain('ten countries')
  for (const frame of frames) expect([frame, ServerFrame.safeParse(frame).error]).toEqual([frame, undefined])

  socket.send(JSON.stringify({ type: 'text', content: 'Hello', metadata: { expect_audio: true } }))
  await until('done', 2)
  expect(frames.filter(({ type }) => type === 'audio')).toHaveLength(2)
  socket.send(JSON.stringify({ type: 'audio', audio_data: said('Hello'), expect_audio: false }))
  await until('done', 3)
  expect(frames.filter(({ type }) => type === 'audio')).toHaveLength(2)
  socket.send(JSON.stringify({ type: 'text', content: 'a', more: 'x'.repeat(300_000) }))
  const [code] = (await once(socket, 'close')) as [number]
  expect(code).toBe(1009)
})

test('a retry is answered in speech too, over HTTP and on the socket', async () => {
  const { sessionId } = await ada.chat('Hello there', { enable_tools: false })
  const [question] = (await ada.get(`/v1/sessions/${sessionId}/messages`)).body.messages
  const path = `/v1/sessions/${sessionId}/messages/${question.id}/retry`
  const whole = await ada.post(path, { expect_audio: true, stream: false })
  expect(whole).toMatchObject({ status: 200, body: { audio_sample_rate: 24_000 } })
  const events = await Array.fromAsync(readEvents(await ada.fetch(path, jsonPost({ expect_audio: true }))))
  expect(events.at(-1)).toMatchObject({ event: 'done', data: { audio_b64: expect.any(String) } })
  const socket = await openSocket(sessionId)
  socket.send(JSON.stringify({ type: 'retry', message_id: question.id, expect_audio: true }))
  expect((await framesUntilDone(socket)).slice(-2)).toEqual(['audio', 'done'])
  socket.terminate()
})

test('an answer that was given before is spoken too, whole, as a stream and on the socket', async () => {
  const question = { text_input: 'Say good evening', enable_tools: false, cache: true }
  await ada.post('/v1/chat', { ...question, stream: false })
  const whole = (await ada.post('/v1/chat', { ...question, expect_audio: true, stream: false })).body
  expect(whole).toMatchObject({ metadata: { cached: true }, audio_sample_rate: 24_000 })
  const events = await Array.fromAsync(readEvents(await ada.fetch('/v1/chat', jsonPost({ ...question, expect_audio: true }))))
  expect(events.at(-1)).toMatchObject({ event: 'done', data: { metadata: { cached: true }, audio_b64: whole.audio_b64 } })
  const recording = { audio_b64: said(question.text_input), enable_tools: false, cache: true, stream: false }
  const { body } = await ada.post('/v1/unified-chat', recording)
  expect(body).toMatchObject({ metadata: { cached: true }, transcript: question.text_input, content: whole.content })
  const onSocket = async (frame: object) => {
    const socket = await openSocket((await ada.post('/v1/sessions', { enable_tools: false })).body.external_id)
    let done: unknown
    socket.on('message', (data: Buffer) => (done = JSON.parse(data.toString())))
    const types = framesUntilDone(socket)
    socket.send(JSON.stringify({ ...frame, cache: true, expect_audio: true }))
    expect((await types).slice(-2)).toEqual(['audio', 'done'])
    socket.terminate()
    return done
  }
  await onSocket({ type: 'text', content: 'Say good night' })
  expect(await onSocket({ type: 'text', content: 'Say good night' })).toMatchObject({ metadata: { cached: true } })
  const spoken = { type: 'audio', audio_data: said('Say good night') }
  expect(await onSocket(spoken)).toMatchObject({ metadata: { cached: true }, transcript: 'Say good night' })
})

test('a long spoken answer reaches who reads slowly; who leaves four unread gets the next as text', async () => {
  audio.moods.speech = 'long'
  const session = (await ada.post('/v1/sessions', {})).body.external_id as string
  const ask = JSON.stringify({ type: 'text', content: 'Hello', expect_audio: true })
  const slow = await openSocket(session)
  const ended = framesUntilDone(slow)
  let left = 0
  connectionOf(slow).prependListener('data', ({ length }: Buffer) => (left -= length) <= 0 && slow.pause())
  const reading = setInterval(() => {
    left = 256 * 1024
    slow.resume()
  }, 50)
  slow.send(ask)
  expect((await ended).slice(-2)).toEqual(['audio', 'done'])
  clearInterval(reading)
  slow.terminate()
  await once(slow, 'close')

  const held = async () =>
    Number(/^stream_held_bytes\{kind="web_socket"\} (\d+)$/m.exec((await system.root.get('/metrics')).body)?.[1])
  const unread: WebSocket[] = []
  for (let n = 1; n <= 4; n += 1) {
    const before = await held()
    const socket = await openSocket((await ada.post('/v1/sessions', {})).body.external_id)
    unread.push(socket)
    socket.pause()
    socket.send(ask)
    await expect.poll(held, { timeout: 30_000 }).toBeGreaterThan(before)
  }
  audio.moods.speech = 'well'
  const { done } = await ada.chat('Hello', { expect_audio: true, enable_tools: false })
  expect(done.audio_b64).toBeUndefined()
  expect(done.logs.map(({ msg }) => msg)).toContainEqual(expect.stringContaining('At most 4 spoken answers'))
  for (const socket of unread) socket.terminate()
  const speaks = async () => (await ada.chat('Hello', { expect_audio: true, enable_tools: false })).done.audio_b64
  await expect.poll(speaks).toEqual(expect.any(String))
}, 150_000)

test('recordings that do not come to their end are few', async () => {
  const session = (await ada.post('/v1/sessions', {})).body.external_id as string
  const options = { headers: { 'x-api-key': ada.key ?? '' } }
  const sockets = [1, 2, 3].map(() => new WebSocket(`${system.api.replace('http', 'ws')}/v1/ws/chat/${session}`, options))
  await Promise.all(sockets.map((socket) => once(socket, 'open')))
  const closed = sockets.map((socket) => once(socket, 'close'))
  for (const socket of sockets) socket.send('x'.repeat(300_000), { fin: false })
  await Promise.race(closed)
  await expect.poll(() => sockets.filter(({ readyState }) => readyState === WebSocket.OPEN).length).toBe(2)
  for (const socket of sockets) socket.terminate()
  await Promise.all(closed)
})

test("OpenAI's own client hears and speaks", async () => {
  const client = clientOf(ada, { maxRetries: 0 })
  const file = await OpenAI.toFile(recordingOf('Hello world'), 'hello.wav')
  expect(await client.audio.transcriptions.create({ file, model: 'whisper-1' })).toEqual({ text: 'Hello world' })
  const options = { file, model: 'youworker', language: 'en', prompt: 'world' } as const
  expect(await client.audio.transcriptions.create({ ...options, response_format: 'text' })).toBe('Hello world\n')
  expect(recordings().at(-1)?.fields).toMatchObject({ language: 'en', prompt: 'world', model: 'whisper-1' })
  const verbose = await client.audio.transcriptions.create({ ...options, response_format: 'verbose_json' })
  expect(verbose).toMatchObject({ text: 'Hello world', language: 'english', duration: 1.5, segments: [{ start: 0, end: 1.5 }] })
  const speech = await client.audio.speech.create({ model: 'tts-1', voice: 'nova', input: 'Good day', response_format: 'wav' })
  expect(speech.headers.get('content-type')).toBe('audio/wav')
  expect(wordsIn(Buffer.from(await speech.arrayBuffer()))).toBe('Good day')
  expect(audio.asked.at(-1)).toMatchObject({ body: { voice: 'nova' } })

  const other = await OpenAI.toFile(Buffer.from('No recording at all'), 'hello.mp3')
  const refused = await client.audio.transcriptions.create({ file: other, model: 'whisper-1' }).catch((error: unknown) => error)
  expect(refused).toMatchObject({ status: 415, code: 'UNSUPPORTED_MEDIA_TYPE', param: 'file', type: 'invalid_request_error' })
  await expect(client.audio.transcriptions.create({ file, model: 'gpt-9' })).rejects.toBeInstanceOf(OpenAI.BadRequestError)
  await expect(client.audio.transcriptions.create({ file, model: 'whisper-1', response_format: 'srt' })).rejects.toMatchObject({
    param: 'response_format',
  })
  const huge = await OpenAI.toFile(Buffer.alloc(25 * 1024 * 1024 + 1), 'huge.wav')
  await expect(client.audio.transcriptions.create({ file: huge, model: 'whisper-1' })).rejects.toMatchObject({ status: 413 })
  const form = new FormData()
  form.append('model', 'whisper-1')
  expect((await ada.fetch('/v1/audio/transcriptions', { method: 'POST', body: form })).status).toBe(400)
  expect((await ada.post('/v1/audio/transcriptions', {})).status).toBe(415)
})

test('a server that tells nothing but the text is understood', async () => {
  audio.moods.transcription = 'text_only'
  const answer = await ada.post('/v1/unified-chat', { audio_b64: said('Hello'), stream: false, enable_tools: false })
  expect(answer).toMatchObject({ status: 200, body: { transcript: 'Hello', stt_language: null, stt_confidence: null } })
})

test('an audio server that is away is told on the page of health, and degrades nothing but speech', async () => {
  const component = async () => (await system.root.get('/health/detailed')).body.components.gateway.dependencies.audio
  expect(await component()).toMatchObject({ status: 'ok' })
  await audio.stop()
  const refused = await ada.post('/v1/unified-chat', { audio_b64: said('Hello'), stream: false })
  expect([refused.status, refused.body.error.code]).toEqual([503, 'SERVICE_UNAVAILABLE'])
  expect(await component()).toMatchObject({ status: 'down' })
  expect((await ada.get('/health/ready')).status).toBe(200)
  const { done } = await ada.chat(QUESTION, { expect_audio: true })
  expect(done.content).toContain('ten countries')
  expect(done.logs).toContainEqual({ level: 'warning', msg: expect.stringContaining('does not answer') })
  await audio.start()
  expect(await component()).toMatchObject({ status: 'ok' })
})
