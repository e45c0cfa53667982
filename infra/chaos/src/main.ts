// `npm run chaos -- freeze …` and `npm run scale:check`: faults and changes on a system of its own, counted.
import { parseArgs } from 'node:util'
import { SERVICES } from '@youworker/contracts/topology/topology'
import { freeze } from './freeze.ts'
import { isService, scale } from './scale.ts'

const USAGE = `Usage: npm run chaos -- freeze (nats | postgres) [--seconds 12,30,60] [--times 5]
       npm run scale:check -- [--services a,b] [--users 24] [--seed 1]

freeze: stops a server for so long, so often, while requests go on, and lets it continue. Ends with 1 when a
request fails 10 s after a thaw, or when one took longer than 12 s at any time.

scale:check: restarts each service and scales it from 1 to 3 replicas and back while users work. Ends with 1 when a
request failed, an answer was degraded or a replica's share of the work was more than 20 % off.`

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: 'string', default: '12,30,60' },
    times: { type: 'string', default: '5' },
    services: { type: 'string', default: SERVICES.join(',') },
    users: { type: 'string', default: '24' },
    seed: { type: 'string', default: '1' },
  },
})
const stack = new AsyncDisposableStack()
const end = (code: number) => void stack.disposeAsync().finally(() => process.exit(code))
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => end(130))
process.once('disconnect', () => end(130))

const isBounded = (...numbers: number[]) => numbers.every((number) => number > 0 && number <= 300)

/** `undefined` when the arguments make no sense. */
function chosen(): Promise<boolean> | undefined {
  const [name, target] = positionals
  const seconds = values.seconds.split(',').map(Number)
  const times = Number(values.times)
  if (name === 'freeze' && (target === 'nats' || target === 'postgres') && isBounded(...seconds, times)) {
    return freeze(stack, { target, seconds, times })
  }
  const services = values.services.split(',')
  const [users, seed] = [Number(values.users), Number(values.seed)]
  if (name === 'scale' && services.every(isService) && isBounded(users) && Number.isInteger(seed)) {
    return scale(stack, { services, users, seed })
  }
  return undefined
}

const work = chosen()
if (work === undefined) {
  console.error(USAGE)
  end(2)
} else {
  work.then(
    (passed) => end(passed ? 0 : 1),
    (error: unknown) => {
      console.error(error)
      end(1)
    },
  )
}
