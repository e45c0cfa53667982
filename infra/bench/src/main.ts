// `npm run bench -- NAME`: ratios against a bare baseline of the same run.
import { gatewayOverhead } from './gateway-overhead.ts'
import { start } from './start.ts'

const BENCHES: Readonly<Record<string, () => Promise<number>>> = { 'gateway-overhead': gatewayOverhead, start }

const name = process.argv[2] ?? ''
const bench = BENCHES[name]
if (bench) {
  console.log(`bench ${name} ratio=${(await bench()).toFixed(3)}`)
} else {
  console.error(`Usage: npm run bench -- (${Object.keys(BENCHES).join(' | ')})`)
  process.exitCode = 2
}
