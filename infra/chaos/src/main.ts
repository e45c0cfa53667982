// `npm run chaos -- COMMAND` and `npm run scale:check`: faults and changes on a system of its own, bounded and counted.
import { parseArgs } from 'node:util'
import { SERVICES } from '@youworker/contracts/topology/topology'
import { chats, MOST_CHATS } from './chats.ts'
import { ingest, MOST_FILES } from './documents/ingest.ts'
import { fillDisk } from './fill-disk.ts'
import { freeze } from './freeze.ts'
import { kill } from './kill.ts'
import { inNamespace, namespaceDir } from './mount-namespace.ts'
import { isService, scale } from './scale.ts'
import { waitingEvents } from './waiting-events.ts'

const USAGE = `Usage: npm run chaos -- COMMAND

  freeze nats | postgres [--seconds 12,30,60] [--times 5]
             stops a server for so long, so often, while requests go on, and lets it continue. Ends with 1 when a
             request fails 10 s after a thaw, or when one took longer than 12 s at any time
  waiting-events [--events 160] [--seconds 25] [--times 1]
             lets so many events wait, freezes Postgres for so long while they are handled, and counts. Ends with 1 when
             analytics or audit differ from what was acknowledged, or an event was given up
  fill-disk [--size 400] [--seconds 25] [--times 1]
             gives the system a disk of so many MB (Linux only), fills it for so long while requests go on, and makes
             room. Ends with 1 when a request fails 30 s later, or when acknowledged work is lost, double or stuck
  kill [--kills 20] [--seed 1]
             kills services, NATS and Postgres with SIGKILL at random moments during chats and ingestions. Ends with 1
             when acknowledged work is lost, double or stuck
  chats [--chats 200] [--kills 20] [--seed 1]
             kills them in the same way during so many chats with calls of tools, or more as long as the kills last. Ends
             with 1 when an answer is lost, stuck or wrong, a call was made twice, or 5 % of the takeovers took over 15 s
  ingest [--files 500] [--kills 20] [--seed 1]
             kills ingestion, NATS and Postgres in the same way while so many files are ingested. Ends with 1 when a file is
             lost, stuck or failed, or is not there exactly once as a document, in its chunks and in the index
  scale [--services a,b] [--users 24] [--seed 1]
             (also npm run scale:check) restarts each service and scales it from 1 to 3 replicas and back while users work.
             Ends with 1 when a request failed, an answer was degraded or a replica's share of the work was more than
             20 % off

Each ends with 2 when it could not be tried.`

const ARGUMENTS = {
  allowPositionals: true,
  options: {
    help: { type: 'boolean', short: 'h' },
    seconds: { type: 'string' },
    times: { type: 'string' },
    events: { type: 'string', default: '160' },
    size: { type: 'string', default: '400' },
    chats: { type: 'string', default: '200' },
    files: { type: 'string', default: '500' },
    kills: { type: 'string', default: '20' },
    services: { type: 'string', default: SERVICES.join(',') },
    users: { type: 'string', default: '24' },
    seed: { type: 'string', default: '1' },
  },
} as const

function readArguments() {
  try {
    return parseArgs(ARGUMENTS)
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n${USAGE}`)
    process.exit(2)
  }
}

const { values, positionals } = readArguments()

const stack = new AsyncDisposableStack()
let code: number | undefined
const end = (with_: number) => {
  code ??= with_
  void stack.disposeAsync().finally(() => process.exit(code))
}
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => end(130))
process.once('disconnect', () => end(130))

class WrongUsage extends Error {}

function number(text: string, most: number): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1 || value > most) throw new WrongUsage(`${text} is not a number from 1 to ${most}`)
  return value
}

const [name, target] = positionals

/** The exit code. */
async function run(): Promise<number> {
  if (values.help) {
    console.log(USAGE)
    return 0
  }
  const times = (usual: string) => number(values.times ?? usual, 100)
  const passed = (isPassed: boolean) => (isPassed ? 0 : 1)
  if (name === 'freeze' && (target === 'nats' || target === 'postgres')) {
    const seconds = (values.seconds ?? '12,30,60').split(',').map((text) => number(text, 300))
    return passed(await freeze(stack, { target, seconds, times: times('5') }))
  }
  if (name === 'waiting-events') {
    const options = { events: number(values.events, 2_000), seconds: number(values.seconds ?? '25', 300), times: times('1') }
    return passed(await waitingEvents(stack, options))
  }
  if (name === 'fill-disk') {
    const options = { sizeMb: number(values.size, 4_000), seconds: number(values.seconds ?? '25', 300), times: times('1') }
    return namespaceDir === undefined ? inNamespace(stack) : passed(await fillDisk(stack, namespaceDir, options))
  }
  if (name === 'chats') {
    const options = {
      chats: number(values.chats, MOST_CHATS),
      kills: number(values.kills, 1_000),
      seed: number(values.seed, 2 ** 31),
    }
    return passed(await chats(stack, options))
  }
  if (name === 'ingest') {
    const options = {
      files: number(values.files, MOST_FILES),
      kills: number(values.kills, 1_000),
      seed: number(values.seed, 2 ** 31),
    }
    return passed(await ingest(stack, options))
  }
  if (name === 'kill')
    return passed(await kill(stack, { kills: number(values.kills, 1_000), seed: number(values.seed, 2 ** 31) }))
  if (name === 'scale') {
    const services = values.services.split(',')
    if (!services.every(isService)) throw new WrongUsage(`--services: any of ${SERVICES.join(', ')}`)
    return passed(await scale(stack, { services, users: number(values.users, 300), seed: number(values.seed, 2 ** 31) }))
  }
  throw new WrongUsage('')
}

run().then(end, (error: unknown) => {
  console.error(error instanceof WrongUsage ? `${error.message}\n${USAGE}`.trim() : error)
  end(error instanceof WrongUsage ? 2 : 1)
})
