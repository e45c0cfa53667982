// `npm run explain`: fails when a request looks at rows of others, or a foreign key has no index.
import { explain } from './explain.ts'

await using stack = new AsyncDisposableStack()
const stop = () => void stack.disposeAsync().finally(() => process.exit(130))
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, stop)
process.once('disconnect', stop)

const { scans, keys } = await explain(stack)
for (const { table, node, rows, statement } of scans) console.log(`${rows} rows of ${table} (${node}): ${statement}\n`)
console.log(scans.length === 0 ? 'No statement looks at rows of others.' : `${scans.length} statements look at rows of others.`)
for (const { table_name, key_name } of keys) console.log(`No index begins with the foreign key ${key_name} of ${table_name}.`)
await stack.disposeAsync()
process.exit(scans.length === 0 && keys.length === 0 ? 0 : 1)
