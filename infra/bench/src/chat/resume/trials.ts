import { randomUUID } from 'node:crypto'
import { PROTOCOLS } from '../ask.ts'
import { eventsOf, readAll, readUntil, type Sent } from './cut.ts'
import { framesUntil } from './raw-socket.ts'

export const QUESTION = 'Say some words.'
/** With characters of two and of four bytes, which a cut may split. */
export const ANSWER = Array.from({ length: 60 }, (_, n) => `wörd${n}🙂`).join(' ')

export interface TrialOf {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  /** From 0 to 1. */
  readonly random: () => number
}

/** What a client has in the end, to be compared with what it should have: nothing when they are the same. */
type Trial = (of: TrialOf) => Promise<string | undefined>

const [CHAT, COMPLETIONS, RESPONSES, MESSAGES] = PROTOCOLS
/** Of the whole stream, about: so that some come whole. */
const BYTES = { chat: 7_000, completions: 16_000, responses: 22_000, messages: 8_000, socket: 9_000 } as const

const parsed = <T>({ data }: Sent): T => JSON.parse(data) as T
const same = (what: string, got: unknown, wanted: unknown): string | undefined =>
  got === wanted ? undefined : `${what}: ${JSON.stringify(got)} in place of ${JSON.stringify(wanted)}`

type Path = (typeof PROTOCOLS)[number]

function post({ url, headers }: TrialOf, protocol: Path) {
  const more = { ...headers, 'idempotency-key': randomUUID() }
  return { method: 'POST', url: `${url}${protocol.path}`, headers: more, body: protocol.bodyOf(QUESTION) } as const
}

/** Cuts again and again, each time going on behind the last event that came whole. */
async function resumed(
  { random }: TrialOf,
  bytes: number,
  first: Sent[],
  next: (last: Sent | undefined, at: number) => ReturnType<typeof readUntil>,
): Promise<Sent[]> {
  const events = [...first]
  for (let cuts = 0; ; cuts += 1) {
    const { status, text, isWhole } = await next(events.at(-1), cuts < 2 ? random() * bytes : Infinity)
    if (status !== 200 && status !== 204) throw new Error(`resumed with ${status}: ${text}`)
    events.push(...eventsOf(text))
    if (isWhole) return events
  }
}

/** `Last-Event-ID`; a client that saw no event asks again with its key. */
const chat: Trial = async (of) => {
  const asked = post(of, CHAT)
  const first = eventsOf((await readUntil(of.random() * BYTES.chat, asked)).text)
  const run = first.find(({ event }) => event === 'run') ?? eventsOf((await readAll(asked)).text)[0]
  const { run_id } = run ? parsed<{ run_id: string }>(run) : { run_id: '' }
  const log = { method: 'GET', url: `${of.url}/v1/runs/${run_id}/events` } as const
  const events = await resumed(of, BYTES.chat, first, (last, at) =>
    readUntil(at, { ...log, headers: { ...of.headers, ...(last ? { 'last-event-id': String(last.id) } : {}) } }),
  )
  const text = events.flatMap((each) => (each.event === 'token' ? [parsed<{ text: string }>(each).text] : [])).join('')
  const whole = eventsOf((await readAll({ ...log, headers: of.headers })).text)
  return same('text', text, ANSWER) ?? same('events', bytesOf(events), bytesOf(whole))
}

/** All that was sent, but what is no entry of the log. */
const bytesOf = (events: readonly Sent[]) => events.map(({ id, event, data }) => `${id} ${event} ${data}`).join('\n')

/** `starting_after`; a client that saw no event asks again with its key. */
const responses: Trial = async (of) => {
  const asked = post(of, RESPONSES)
  const first = eventsOf((await readUntil(of.random() * BYTES.responses, asked)).text)
  const [begun] = first.length > 0 ? first : eventsOf((await readAll(asked)).text)
  const id = begun ? parsed<{ response: { id: string } }>(begun).response.id : ''
  const read = { method: 'GET', headers: of.headers } as const
  const from = `${of.url}/v1/responses/${id}?stream=true`
  const events = await resumed(of, BYTES.responses, first, (last, at) => {
    const after = last ? `&starting_after=${parsed<{ sequence_number: number }>(last).sequence_number}` : ''
    return readUntil(at, { ...read, url: `${from}${after}` })
  })
  const text = events
    .flatMap((each) => (each.event === 'response.output_text.delta' ? [parsed<{ delta: string }>(each).delta] : []))
    .join('')
  const whole = eventsOf((await readAll({ ...read, url: from })).text)
  return same('text', text, ANSWER) ?? same('events', bytesOf(events), bytesOf(whole))
}

interface RunOf {
  readonly run_id: string
  readonly status: string
}

/** Cannot be resumed: asked again with the same key the client gets the one answer of the one run, which went on meanwhile. */
const again =
  (
    protocol: Path,
    bytes: number,
    read: (events: readonly Sent[]) => { readonly text: string; readonly run_id: string | undefined },
  ): Trial =>
  async (of) => {
    const asked = post(of, protocol)
    const first = read(eventsOf((await readUntil(of.random() * bytes, asked)).text))
    const { text, run_id } = read(eventsOf((await readAll(asked)).text))
    const whole = await readAll({ method: 'GET', url: `${of.url}/v1/runs/${run_id}`, headers: of.headers })
    const run = JSON.parse(whole.text) as RunOf
    return (
      same('text', text, ANSWER) ??
      same('begin', ANSWER.startsWith(first.text), true) ??
      same('run', first.run_id ?? run_id, run_id) ??
      same('status', run.status, 'success')
    )
  }

const completions = again(COMPLETIONS, BYTES.completions, (events) => {
  const chunks = events
    .filter(({ data }) => data !== '[DONE]')
    .map((each) => parsed<{ id: string; choices: { delta: { content?: string } }[] }>(each))
  return {
    text: chunks.map(({ choices: [choice] }) => choice?.delta.content ?? '').join(''),
    run_id: chunks[0]?.id.replace('chatcmpl-', ''),
  }
})

const messages = again(MESSAGES, BYTES.messages, (events) => {
  const [start] = events.filter(({ event }) => event === 'message_start')
  const deltas = events.filter(({ event }) => event === 'content_block_delta')
  return {
    text: deltas.map((each) => parsed<{ delta: { text: string } }>(each).delta.text).join(''),
    run_id: start && parsed<{ message: { id: string } }>(start).message.id.replace('msg_', ''),
  }
})

interface SocketFrame {
  readonly type: string
  readonly seq: number | null
  readonly run_id: string | null
  readonly text?: string
}

/** `resume` behind the last `seq`, on another socket. */
const webSocket: Trial = async (of) => {
  const { url, headers, random } = of
  const made = await readAll({ method: 'POST', url: `${url}/v1/sessions`, headers, body: {} })
  const path = `/v1/ws/chat/${(JSON.parse(made.text) as { external_id: string }).external_id}`
  const open = (at: number, message: unknown) => framesUntil<SocketFrame>(at, { url, path, headers, message })
  let { frames, isCut } = await open(random() * BYTES.socket, { type: 'text', content: QUESTION })
  const all = [...frames]
  for (let cuts = 0; isCut; cuts += 1) {
    const last = all.findLast(({ seq }) => seq !== null)
    const at = cuts < 2 ? random() * BYTES.socket : Infinity
    ;({ frames, isCut } = await open(at, { type: 'resume', run_id: last?.run_id, after: last?.seq }))
    all.push(...frames)
    if (last && all.at(-1)?.type === 'done') break
  }
  const seqs = all.flatMap(({ seq }) => (seq === null ? [] : [seq]))
  const text = all.map((frame) => (frame.type === 'token' ? frame.text : '')).join('')
  return same('text', text, ANSWER) ?? same('numbers', new Set(seqs).size, seqs.length) ?? same('end', all.at(-1)?.type, 'done')
}

export const TRIALS: Readonly<Record<string, Trial>> = {
  '/v1/chat': chat,
  '/v1/chat/completions': completions,
  '/v1/responses': responses,
  '/v1/messages': messages,
  WebSocket: webSocket,
}
