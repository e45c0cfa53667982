import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { waitFor } from '@youworker/test-kit/wait-for'
import { WebSocket } from 'ws'
import { Person, readEvents } from './person.ts'
import { type SpawnedSystem, spawnSystem } from './spawned-system.ts'

export type ReplicatedSystem = Awaited<ReturnType<typeof startReplicatedSystem>>

/** Two gateways and two auths in processes of their own, with a model that answers slowly. */
export async function startReplicatedSystem() {
  await using stack = new AsyncDisposableStack()
  const dir = await mkdtemp(join(tmpdir(), 'youworker replicas '))
  stack.defer(() => rm(dir, { recursive: true, force: true }))
  const system: SpawnedSystem = stack.use(
    await spawnSystem(join(dir, 'data'), ['--no-demo', '--replicas', 'gateway=2,auth=2'], {
      env: { OFFLINE_MODEL__TOKENS_PER_SECOND: '2' },
    }),
  )
  const { root } = system
  const gateways = await Promise.all(['gateway.1', 'gateway.2'].map(async (name) => (await system.process(name)).url ?? ''))
  const owned = stack.move()
  const everywhere = (key: string | undefined) => gateways.map((api) => new Person(api, '', key))
  const statusesOf = (key: string | undefined) =>
    Promise.all(everywhere(key).map(async (person) => (await person.get('/v1/auth/me')).status))
  return {
    system,
    root,
    gateways,
    /** The same key at both gateways. */
    everywhere,
    /** How both gateways answer a key. */
    statusesOf,
    /** Waits until both gateways answer the key so. Both have cached what they know of it. */
    untilAllAnswer: (key: string | undefined, status: number) =>
      waitFor(async () => (await statusesOf(key)).every((one) => one === status), { what: `${status} from both gateways` }),
    async newPerson(username: string, more: object = {}): Promise<Person> {
      const { status, body } = await root.post('/v1/admin/users', { username, ...more })
      if (status !== 201) throw new Error(`no account for ${username}: ${JSON.stringify(body)}`)
      return new Person(root.api, body.id, body.api_key)
    },
    /** The actions of the audit trail on a target, in their order; a denied one ends with `!`. */
    async audited(targetId: string): Promise<string[]> {
      const rows = await system.sql<{ action: string; outcome: string }>(
        'select action, outcome from auth.audit_entries where target_id = $1 order by seq',
        [targetId],
      )
      return rows.map(({ action, outcome }) => (outcome === 'denied' ? `${action}!` : action))
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

/** Asks a question and keeps its stream open at one gateway, and a WebSocket of the same credential at the other. */
export async function openStreams(at: Person, headers: Record<string, string> = {}, socketApi = at.api) {
  const response = await at.fetch('/v1/chat', {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ text_input: 'Who are you, in many words?', enable_tools: false }),
  })
  if (!response.ok) throw new Error(`POST /v1/chat: ${response.status} ${await response.text()}`)
  const events = readEvents(response)
  const first = (await events.next()).value
  const seen: string[] = []
  const rest = (async () => {
    for await (const { event, data } of events) seen.push(event === 'done' ? `done ${data.metadata.status}` : event)
  })().catch(() => {})
  const session = first?.data.session_id as string
  const keyHeader: Record<string, string> = at.key === undefined ? headers : { 'x-api-key': at.key }
  const socket = new WebSocket(`${socketApi.replace('http', 'ws')}/v1/ws/chat/${session}`, { headers: keyHeader })
  const closed = new Promise<number>((resolve) => socket.on('close', resolve))
  await new Promise((resolve, reject) => socket.on('open', resolve).on('error', reject))
  await waitFor(() => seen.includes('token'), { what: 'the first token' })
  return {
    runId: first?.data.run_id as string,
    /** Resolves to the events that came, when the stream has ended. */
    ended: rest.then(() => seen),
    /** Resolves to the code of the close. */
    closed,
    close: () => socket.terminate(),
  }
}
