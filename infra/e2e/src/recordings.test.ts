import { recordingOf, startAudioServer, type TestAudioServer } from '@youworker/test-kit/audio-server'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import type { Person } from './support/person.ts'
import { startTestSystem, type TestSystem } from './support/system.ts'

const stack = new AsyncDisposableStack()
let audio: TestAudioServer
let system: TestSystem
let deaf: TestSystem
let ada: Person

beforeAll(async () => {
  audio = stack.use(await startAudioServer())
  const env = { SECURITY__RATE_LIMITS: 'generous' }
  system = stack.use(await startTestSystem({ env: { ...env, AUDIO__BASE_URL: audio.url, AUDIO__API_KEY: 'sesame' } }))
  deaf = stack.use(await startTestSystem({ env }))
}, 120_000)
beforeEach(async () => {
  audio.moods.transcription = 'well'
  ada = await system.newPerson(`ada${crypto.randomUUID()}`)
})
afterAll(() => stack.disposeAsync())

const bytesOf = (text: string) => Buffer.from(text, 'latin1')
/** The first bytes of each format, and what may follow. */
const HEADS: Record<string, Buffer> = {
  'talk.mp3': bytesOf('ID3\x04\x00\x00\x00\x00\x00\x0A          \xFF\xFB\x90\x44'),
  'talk.m4a': bytesOf('\x00\x00\x00\x1CftypM4A \x00\x00\x02\x00M4A isomiso2'),
  'talk.ogg': bytesOf(`OggS${'\x00'.repeat(24)}OpusHead${'\x00'.repeat(8)}`),
  'talk.flac': bytesOf('fLaC\x00\x00\x00\x22'),
  'talk.webm': bytesOf('\x1A\x45\xDF\xA3\x87\x42\x82\x84webm'),
  'talk.mp4': bytesOf('\x00\x00\x00\x1Cftypisom\x00\x00\x02\x00isomiso2mp41'),
}
const transcriptions = () => audio.asked.filter(({ kind }) => kind === 'transcription')

test('a recording is found by what is said in it, and cited with its time', async () => {
  const said = [
    'Welcome to the harbour.',
    ...Array(80).fill('The crane lifts one box after another.'),
    'The pilot boards at nine.',
  ]
  const up = await ada.upload([{ name: 'meeting.wav', content: recordingOf(said.join(' ')) }])
  expect(up).toMatchObject({ status: 200, body: { success: true, errors: [] } })
  const { body } = await ada.post('/v1/search', { query: 'When does the pilot board?' })
  const [hit] = body.results
  expect(hit).toMatchObject({ title: 'meeting.wav', text: expect.stringContaining('The pilot boards at nine.') })
  expect(hit.time.end).toBe(82 * 1.5)
  expect(hit.time.start).toBeGreaterThan(30)
  const { done } = await ada.chat('When does the pilot board?')
  expect(done.citations[0]).toMatchObject({ title: 'meeting.wav', time: hit.time })
  const { body: chunks } = await ada.get(`/v1/documents/${hit.document_id}/chunks`)
  expect(chunks.chunks[0].time.start).toBe(0)
  const content = await ada.fetch(`/v1/documents/${hit.document_id}/content`)
  expect(Buffer.from(await content.arrayBuffer()).equals(recordingOf(said.join(' ')))).toBe(true)
  expect(transcriptions().at(-1)).toMatchObject({ authorization: 'Bearer sesame', fields: { model: 'whisper-1' } })
})

test('each format is recognised by its content and read, also without an ending that tells it', async () => {
  const files = Object.entries(HEADS).map(([name, head]) => ({ name, content: recordingOf(`What ${name} says.`, head) }))
  const bare = { name: 'talk', content: recordingOf('What a nameless one says.', HEADS['talk.flac']) }
  const { body } = await ada.upload([...files, bare])
  expect(body).toMatchObject({ success: true, files_processed: 7, errors: [] })
  for (const { name } of files) {
    const found = await ada.post('/v1/search', { query: `"What ${name} says"` })
    expect([name, found.body.results[0]?.title]).toEqual([name, name])
  }
})

test('captions are read with their times', async () => {
  const srt =
    '1\r\n00:01:02,500 --> 00:01:05,000\r\n<i>The tide turns</i>\r\nat noon.\r\n\r\n2\r\n00:01:05,000 --> 00:01:07,000\r\nNot before.\r\n'
  const vtt =
    'WEBVTT\n\nNOTE nobody says this\n\n00:10.000 --> 00:12.000 align:left\n<v Maud>Mind the gull.</v>\n\n01:00:00.000 --> 01:00:01.000\nLater.\n'
  await ada.upload([
    { name: 'tide.srt', content: srt },
    { name: 'gull.vtt', content: vtt },
    { name: 'plain.srt', content: 'Only a note about the lighthouse.' },
  ])
  const first = async (query: string) => (await ada.post('/v1/search', { query })).body.results[0]
  expect(await first('When does the tide turn?')).toMatchObject({
    text: 'The tide turns at noon. Not before.',
    time: { start: 62.5, end: 67 },
  })
  expect(await first('gull')).toMatchObject({ text: expect.stringMatching(/^Maud: Mind the gull\./), time: { start: 10 } })
  expect((await first('gull')).text).not.toContain('nobody')
  const plain = await first('lighthouse')
  expect([plain.text, plain.time]).toEqual(['Only a note about the lighthouse.', undefined])
})

test.each([
  ['silence', /nobody is heard/],
  ['nonsense', /could not be transcribed.*start this file again/],
  [413, /too large for the audio server/],
  [401, /AUDIO__API_KEY/],
] as const)(
  'a server that answers with %s fails the recording with the reason, and nothing else',
  async (mood, reason) => {
    audio.moods.transcription = mood
    const { body } = await ada.upload([
      { name: 'talk.wav', content: recordingOf('What nobody hears.') },
      { name: 'note.md', content: '# Note\n\nWritten all the same.' },
    ])
    const files = body.files.map(({ path, status, error }: { path: string; status: string; error?: string }) => [
      path,
      status,
      error,
    ])
    expect(files.toSorted()).toEqual([
      ['note.md', 'success', undefined],
      ['talk.wav', 'failed', expect.stringMatching(reason)],
    ])
  },
  60_000,
)

test('a server that tells no times is asked for the text alone', async () => {
  audio.moods.transcription = 'text_only'
  await ada.upload([{ name: 'talk.wav', content: recordingOf('The buoy is green.') }])
  const { body } = await ada.post('/v1/search', { query: 'Which colour has the buoy?' })
  expect([body.results[0]?.text, body.results[0]?.time]).toEqual(['The buoy is green.', undefined])
})

test('while recordings wait for a hung server, other files are read, and the run can be cancelled', async () => {
  audio.moods.transcription = 'hang'
  const recordings = Array.from({ length: 5 }, (_, n) => ({ name: `talk${n}.wav`, content: recordingOf(`Hung ${n}.`) }))
  const started = await ada.upload([...recordings, { name: 'note.md', content: '# Kelp\n\nKelp grows fast.' }], { wait: 'false' })
  const { run_id } = started.body
  const found = async () => (await ada.post('/v1/search', { query: 'kelp' })).body.results.length
  await expect.poll(found, { timeout: 30_000 }).toBe(1)
  const ben = await system.newPerson('ben')
  expect((await ben.upload([{ name: 'b.md', content: '# B\n\nOf Ben.' }])).body.success).toBe(true)
  await ada.post(`/v1/ingestion-runs/${run_id}/cancel`)
  await expect
    .poll(async () => (await ada.get(`/v1/ingestion-runs/${run_id}`)).body.status, { timeout: 30_000 })
    .toBe('cancelled')
  await expect.poll(() => audio.open, { timeout: 30_000 }).toBe(0)
})

test('without an audio server a recording fails with the setting that helps', async () => {
  const eve = await deaf.newPerson('eve')
  const { body } = await eve.upload([{ name: 'talk.wav', content: recordingOf('Nobody listens.') }])
  expect(body.files[0]).toMatchObject({ status: 'failed', error: expect.stringContaining('AUDIO__BASE_URL') })
})
