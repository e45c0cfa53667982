// `npm run chaos -- freeze nats|postgres [--seconds 12,30,60] [--times 5]`: faults on a system of its own, counted.
import { parseArgs } from 'node:util'
import { freeze } from './freeze.ts'

const USAGE = `Usage: npm run chaos -- freeze (nats | postgres) [--seconds 12,30,60] [--times 5]

Stops a server for so long, so often, while requests go on, and lets it continue. Ends with 1 when a
request fails 10 s after a thaw, or when one took longer than 12 s at any time.`

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { seconds: { type: 'string', default: '12,30,60' }, times: { type: 'string', default: '5' } },
})
const [name, target] = positionals
const seconds = values.seconds.split(',').map(Number)
const times = Number(values.times)
const isBounded = [...seconds, times].every((value) => value > 0 && value <= 300)
const stack = new AsyncDisposableStack()
const end = (code: number) => void stack.disposeAsync().finally(() => process.exit(code))
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => end(130))
process.once('disconnect', () => end(130))

if (name !== 'freeze' || (target !== 'nats' && target !== 'postgres') || !isBounded) {
  console.error(USAGE)
  end(2)
} else {
  freeze(stack, { target, seconds, times }).then(
    (passed) => end(passed ? 0 : 1),
    (error: unknown) => {
      console.error(error)
      end(1)
    },
  )
}
