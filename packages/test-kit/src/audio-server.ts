import type { IncomingMessage, ServerResponse } from 'node:http'
import { buffer } from 'node:stream/consumers'
import { restartableServer } from './restartable-server.ts'

/** What a recording says stands behind this in its bytes, up to a zero: as clear speech, for who can hear it. */
const MARK = 'SAID:'
const RATE = 24_000
/** What one sentence takes. */
const SENTENCE_S = 1.5
/** Bytes. */
const LONG = 11 * 1024 * 1024

interface AskedToTranscribe {
  readonly kind: 'transcription'
  readonly authorization: string | undefined
  /** Of the form, without the file. */
  readonly fields: Readonly<Record<string, string>>
  readonly file: { readonly name: string; readonly type: string; readonly bytes: Buffer }
}
interface AskedToSpeak {
  readonly kind: 'speech'
  readonly authorization: string | undefined
  // Each test knows the shape of the body.
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly body: any
}
export type AudioAsked = AskedToTranscribe | AskedToSpeak

/** What the server does instead of its work: `silence` finds no words, `mumble` other words each time, `huge` speaks without end, `long` for minutes, a number is the status of a refusal. */
export type AudioMood = 'well' | 'hang' | 'silence' | 'mumble' | 'huge' | 'long' | 'nonsense' | 'text_only' | number

export interface TestAudioServer extends AsyncDisposable {
  /** `AUDIO__BASE_URL`. */
  readonly url: string
  readonly asked: readonly AudioAsked[]
  /** Of each kind of request. */
  readonly moods: Record<AudioAsked['kind'], AudioMood>
  /** Requests that are being answered now. */
  readonly open: number
  stop(): Promise<void>
  start(): Promise<void>
}

/** A recording of these words, in a format that is recognised by its first bytes. */
export function recordingOf(words: string, start: Uint8Array = wavHead(1_000_000)): Buffer {
  return Buffer.concat([start, Buffer.alloc(8_000, 1), Buffer.from(`${MARK}${words}\0`)])
}

/** The words of a recording. */
export function wordsIn(bytes: Buffer): string {
  const at = bytes.indexOf(MARK)
  return at === -1 ? '' : bytes.toString('utf8', at + MARK.length, bytes.indexOf(0, at))
}

/** As a server writes it that does not know the length yet. */
function wavHead(length: number): Buffer {
  const head = Buffer.alloc(44)
  head.write('RIFF', 0, 'latin1')
  head.writeUInt32LE(length, 4)
  head.write('WAVEfmt ', 8, 'latin1')
  for (const [value, at] of [
    [16, 16],
    [RATE, 24],
    [2 * RATE, 28],
    [length, 40],
  ] as const)
    head.writeUInt32LE(value, at)
  for (const [value, at] of [
    [1, 20],
    [1, 22],
    [2, 32],
    [16, 34],
  ] as const)
    head.writeUInt16LE(value, at)
  head.write('data', 36, 'latin1')
  return head
}

/** A server that transcribes and speaks by OpenAI's protocol: it reads and writes the words in the bytes of the sound. */
export async function startAudioServer(): Promise<TestAudioServer> {
  const asked: AudioAsked[] = []
  const moods: TestAudioServer['moods'] = { transcription: 'well', speech: 'well' }
  let open = 0
  const serve = async (request: IncomingMessage, response: ServerResponse) => {
    if (request.url === '/v1/models') return send(response, { object: 'list', data: [] })
    const one = await readAsked(request)
    if (!one) return void response.writeHead(404).end()
    asked.push(one)
    const mood = moods[one.kind]
    if (mood === 'hang') return
    if (typeof mood === 'number') return refuse(response, mood)
    if (mood === 'nonsense') return void response.writeHead(200, { 'content-type': 'text/html' }).end('<p>Hello</p>')
    if (one.kind === 'speech') return speak(response, String(one.body.input), mood)
    if (mood === 'text_only' && one.fields['response_format'] === 'verbose_json') return refuse(response, 400)
    const words = mood === 'silence' ? '  ' : wordsIn(one.file.bytes)
    transcribe(response, one, mood === 'mumble' ? `${words} or ${asked.length}` : words)
  }
  const { origin, start, stop } = await restartableServer((request, response) => {
    open += 1
    response.once('close', () => (open -= 1))
    serve(request, response).catch(() => response.destroy())
  })
  return {
    url: `${origin}/v1`,
    asked,
    moods,
    get open() {
      return open
    },
    start,
    stop,
    [Symbol.asyncDispose]: stop,
  }
}

async function readAsked(request: IncomingMessage): Promise<AudioAsked | undefined> {
  const body = await buffer(request)
  const { authorization } = request.headers
  if (request.url === '/v1/audio/speech') return { kind: 'speech', authorization, body: JSON.parse(body.toString()) }
  if (request.url !== '/v1/audio/transcriptions') return undefined
  const headers = { 'content-type': request.headers['content-type'] ?? '' }
  const form = await new Response(new Uint8Array(body), { headers }).formData()
  const file = form.get('file')
  if (!(file instanceof File)) return undefined
  const fields = Object.fromEntries([...form].flatMap(([name, value]) => (typeof value === 'string' ? [[name, value]] : [])))
  const bytes = Buffer.from(await file.arrayBuffer())
  return { kind: 'transcription', authorization, fields, file: { name: file.name, type: file.type, bytes } }
}

const send = (response: ServerResponse, value: object) =>
  void response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(value))

/** With what it understood in the message, as some servers do. */
const refuse = (response: ServerResponse, status: number) =>
  void response
    .writeHead(status, { 'content-type': 'application/json' })
    .end(JSON.stringify({ error: { message: 'secret words of the audio server' } }))

function transcribe(response: ServerResponse, { fields }: AskedToTranscribe, text: string): void {
  if (fields['response_format'] !== 'verbose_json') return send(response, { text })
  const segments = text.split(/(?<=[.!?]) /).map((sentence, id) => ({
    id,
    start: id * SENTENCE_S,
    end: (id + 1) * SENTENCE_S,
    text: ` ${sentence}`,
    avg_logprob: Math.log(0.9),
    no_speech_prob: 0.01,
    tokens: [1],
  }))
  const duration = segments.length * SENTENCE_S
  send(response, { task: 'transcribe', language: 'english', duration, text: ` ${text}`, segments })
}

function speak(response: ServerResponse, text: string, mood: AudioMood): void {
  response.writeHead(200, { 'content-type': 'audio/wav' })
  if (mood === 'long') return void response.end(Buffer.concat([recordingOf(text, wavHead(LONG)), Buffer.alloc(LONG)]))
  if (mood !== 'huge') return void response.end(recordingOf(text, wavHead(0xff_ff_ff_ff)))
  response.write(wavHead(0xff_ff_ff_ff))
  const part = Buffer.alloc(256 * 1024)
  const go = () => {
    while (!response.destroyed && response.write(part));
    if (!response.destroyed) response.once('drain', go)
  }
  go()
}
