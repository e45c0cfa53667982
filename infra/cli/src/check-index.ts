import { parseArgs } from 'node:util'
import { forTerminal } from '@youworker/runtime/text/text'
import { z } from 'zod'
import { SYSTEM_OPTIONS, SystemApi } from './system-api.ts'

const Difference = z.object({ space_id: z.string().nullable(), kind: z.string(), count: z.number(), repaired: z.boolean() })
const Checked = z.object({
  spaces: z.number(),
  documents: z.number(),
  chunks: z.number(),
  differences: z.array(Difference),
  next_after: z.string().optional(),
})

/** Prints every difference between documents, chunks, vectors, files and the search index. Exit code 1 when some are left. */
export async function checkIndex(args: readonly string[]): Promise<void> {
  const options = { ...SYSTEM_OPTIONS, repair: { type: 'boolean', default: false } } as const
  const { values } = parseArgs({ args: [...args], options })
  const system = await SystemApi.open(values, process.env)
  const totals = { spaces: 0, documents: 0, chunks: 0 }
  let [left, found]: [number, number] = [0, 0]
  for (let after: string | undefined, hasMore = true; hasMore;) {
    const body = { repair: values.repair, ...(after === undefined ? {} : { after }) }
    const part = Checked.parse(await system.call('POST', '/v1/admin/index/check', body))
    for (const key of ['spaces', 'documents', 'chunks'] as const) totals[key] += part[key]
    for (const { space_id, kind, count, repaired } of part.differences) {
      found += 1
      if (!repaired) left += 1
      console.log(
        forTerminal(
          `${space_id === null ? 'the index' : `space ${space_id}`}: ${count} ${kind.replaceAll('_', ' ')}${repaired ? ', repaired' : ''}`,
        ),
      )
    }
    after = part.next_after
    hasMore = after !== undefined
  }
  const { spaces, documents, chunks } = totals
  console.log(
    `${spaces} spaces with ${documents} documents and ${chunks} chunks were compared: ${said(found, left, values.repair)}`,
  )
  if (left > 0) process.exitCode = 1
}

function said(found: number, left: number, repair: boolean): string {
  if (found === 0) return 'no difference.'
  if (left === 0) return `${found} kinds of differences, all repaired.`
  if (repair) return `${left} kinds of differences are left: upload those files again.`
  return `${found} kinds of differences. Repair them: index check --repair`
}
