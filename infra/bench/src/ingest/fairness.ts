import type { ApiUser } from '../api-user.ts'
import { isQuick } from '../measuring/effort.ts'
import { median } from '../measuring/load.ts'
import { spread } from '../measuring/measure.ts'
import { begin, ended } from './ingest-all.ts'
import { smallFiles } from './sample-files.ts'

/** Files of the user whose many files are read beside one of another. */
const MANY = isQuick ? 400 : 10_000
const [TIMES, TIMES_BESIDE] = [5, 30]

/** How much later one file of a user can be found while another user's many are sent, and while they wait. */
export async function printFairness(root: ApiUser): Promise<void> {
  const [heavy, light] = [await addUser(root, 'heavy'), await addUser(root, 'light')]
  const one = async () => {
    const started = performance.now()
    for (const id of await begin(light, smallFiles(1))) await ended(light, id)
    return (performance.now() - started) / 1_000
  }
  const alone: number[] = []
  while (alone.length < TIMES) alone.push(await one())
  let isSent = false
  const sending = begin(heavy, smallFiles(MANY)).finally(() => (isSent = true))
  const meanwhile: number[] = []
  while (!isSent) meanwhile.push(await one())
  const ids = await sending
  const beside: number[] = []
  while (beside.length < TIMES_BESIDE) beside.push(await one())
  const { left, took } = await cancelAll(heavy, ids)
  const later = (of: readonly number[]) =>
    `${spread(of)} s of ${of.length} times, later by ${(median(of) - median(alone)).toFixed(2)} s`
  console.log(`one file alone: ${spread(alone)} s; while ${MANY} of another user are sent: ${later(meanwhile)}`)
  console.log(`while they wait: ${later(beside)}; ${left} runs were left, and cancelled within ${spread(took)} s`)
}

const addUser = (root: ApiUser, name: string) => root.addUser(`${name}-${crypto.randomUUID().slice(0, 8)}`)

async function cancelAll(user: ApiUser, ids: readonly string[]): Promise<{ left: number; took: number[] }> {
  const took: number[] = []
  for (const id of ids) {
    const before = (await user.get(`/v1/ingestion-runs/${id}`)) as { readonly finished_at: string | null }
    if (before.finished_at !== null) continue
    const started = performance.now()
    await user.post(`/v1/ingestion-runs/${id}/cancel`, {})
    await ended(user, id, 'cancelled')
    took.push((performance.now() - started) / 1_000)
  }
  return { left: took.length, took: took.length === 0 ? [0] : took }
}
