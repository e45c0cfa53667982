// Checks the architecture rules on imports (.dependency-cruiser.cjs) and on source text (source-rules.ts).
import { cruise } from './import-rules.ts'
import { ROOT } from './root.ts'
import { findBreaches } from './source-rules.ts'

const [imports, sources] = await Promise.all([cruise(ROOT), findBreaches(ROOT)])
const broken = [
  ...imports.violations.map(({ rule, from }) => `${rule.name}: ${from}`),
  ...sources.breaches.map(({ rule, file, hint }) => `${rule}: ${file}${hint === undefined ? '' : ` (${hint})`}`),
]
for (const line of broken) console.error(line)
console.log(`${imports.totalCruised} modules and ${sources.files} source files read, ${broken.length} rules broken`)
process.exitCode = broken.length > 0 ? 1 : 0
