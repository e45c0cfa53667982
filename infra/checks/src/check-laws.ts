// `npm run check:laws`: breaks each architecture rule once in a copy of the tree and prints whether the check reports it.
import { plantedViolationsFound } from './planted-violations.ts'

const found = await plantedViolationsFound()
const silent = [...found].filter(([, fired]) => !fired).map(([rule]) => rule)
for (const rule of silent) console.error(`did not fire: ${rule}`)
console.log(`${found.size} laws, ${found.size - silent.length} fired`)
process.exitCode = silent.length > 0 ? 1 : 0
