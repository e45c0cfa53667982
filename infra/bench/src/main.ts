// `npm run bench -- NAME`, or `all`: ratios against a bare baseline of the same run.
import { answers } from './chat/answers.ts'
import { cache } from './chat/cache.ts'
import { protocols } from './chat/protocols.ts'
import { queue } from './chat/queue.ts'
import { resume } from './chat/resume/resume.ts'
import { rivals } from './chat/rivals.ts'
import { signIn } from './chat/sign-in.ts'
import { stream } from './chat/stream.ts'
import { ttft } from './chat/ttft.ts'
import { databaseDriver } from './database-driver.ts'
import { events } from './events.ts'
import { gatewayOverhead } from './gateway-overhead.ts'
import { ingest } from './ingest/ingest.ts'
import { lists } from './lists.ts'
import { natsRequest } from './nats-request.ts'
import { isQuick } from './measuring/effort.ts'
import { printProfile } from './measuring/profile.ts'
import { slowReaders } from './chat/resume/slow-readers.ts'
import { search } from './search/search.ts'
import { scale } from './chat/scale.ts'
import { start } from './start.ts'

const BENCHES: Readonly<Record<string, (stack: AsyncDisposableStack) => Promise<number>>> = {
  answers,
  cache,
  'database-driver': databaseDriver,
  events,
  'gateway-overhead': gatewayOverhead,
  ingest,
  lists,
  'nats-request': natsRequest,
  protocols,
  queue,
  resume,
  rivals,
  scale,
  search,
  'sign-in': signIn,
  'slow-readers': slowReaders,
  start,
  stream,
  ttft,
}
/** Take part only by name: one installs from the network, one fills hundreds of megabytes of the kernel's buffers. */
const ALONE: readonly string[] = ['rivals', 'slow-readers']
/** Fill tables, make passwords, or need many systems, runs or users first: a quick look at all, which CI has, leaves them out. */
const LONG: readonly string[] = [
  'cache',
  'ingest',
  'lists',
  'protocols',
  'queue',
  'resume',
  'scale',
  'search',
  'sign-in',
  'start',
  'stream',
]
const EXIT = { ok: 0, failed: 1, usage: 2, interrupted: 130 } as const

/** Everything that the running bench starts or writes; disposed of however it ends. */
let stack = new AsyncDisposableStack()
let cleaning: Promise<void> | undefined
const cleanUp = () => (cleaning ??= stack.disposeAsync())
const interrupt = () => void cleanUp().finally(() => process.exit(EXIT.interrupted))
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, interrupt)
// The parent, boot.mjs, has ended: nothing else would stop this process.
process.once('disconnect', interrupt)

process.exit(await run(process.argv[2] ?? ''))

async function run(name: string): Promise<number> {
  const leftOut = isQuick ? [...ALONE, ...LONG] : ALONE
  const names = name === 'all' ? Object.keys(BENCHES).filter((each) => !leftOut.includes(each)) : [name]
  const [unknown] = names.filter((each) => !(each in BENCHES))
  if (unknown !== undefined) {
    console.error(`Usage: npm run bench -- (all | ${Object.keys(BENCHES).join(' | ')}) [--quick] [--profile=PROCESS]`)
    return EXIT.usage
  }
  let worst: number = EXIT.ok
  for (const each of names) {
    const code = await runOne(each)
    if (code === EXIT.interrupted) return code
    worst = Math.max(worst, code)
  }
  if (name === 'all') console.log(`Left out (npm run bench -- NAME): ${leftOut.join(', ')}`)
  return worst
}

async function runOne(name: string): Promise<number> {
  try {
    stack = new AsyncDisposableStack()
    const ratio = await BENCHES[name]?.(stack)
    await stack.disposeAsync()
    printProfile()
    console.log(`bench ${name} ratio=${ratio?.toFixed(3)}`)
    return EXIT.ok
  } catch (error) {
    const isInterrupted = cleaning !== undefined
    await cleanUp()
    if (!isInterrupted) console.error(error)
    return isInterrupted ? EXIT.interrupted : EXIT.failed
  }
}
