// `npm run bench -- NAME`: ratios against a bare baseline of the same run.
import { answers } from './answers.ts'
import { databaseDriver } from './database-driver.ts'
import { events } from './events.ts'
import { gatewayOverhead } from './gateway-overhead.ts'
import { natsRequest } from './nats-request.ts'
import { start } from './start.ts'

const BENCHES: Readonly<Record<string, (stack: AsyncDisposableStack) => Promise<number>>> = {
  answers,
  'database-driver': databaseDriver,
  events,
  'gateway-overhead': gatewayOverhead,
  'nats-request': natsRequest,
  start,
}
const EXIT = { ok: 0, failed: 1, usage: 2, interrupted: 130 } as const

/** Everything that a bench starts or writes; disposed of however the bench ends. */
const stack = new AsyncDisposableStack()
let cleaning: Promise<void> | undefined
const cleanUp = () => (cleaning ??= stack.disposeAsync())
const interrupt = () => void cleanUp().finally(() => process.exit(EXIT.interrupted))
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, interrupt)
// The parent, boot.mjs, has ended: nothing else would stop this process.
process.once('disconnect', interrupt)

process.exit(await run(process.argv[2] ?? ''))

async function run(name: string): Promise<number> {
  const bench = BENCHES[name]
  if (!bench) {
    console.error(`Usage: npm run bench -- (${Object.keys(BENCHES).join(' | ')})`)
    return EXIT.usage
  }
  try {
    const ratio = await bench(stack)
    await cleanUp()
    console.log(`bench ${name} ratio=${ratio.toFixed(3)}`)
    return EXIT.ok
  } catch (error) {
    const isInterrupted = cleaning !== undefined
    await cleanUp()
    if (!isInterrupted) console.error(error)
    return isInterrupted ? EXIT.interrupted : EXIT.failed
  }
}
