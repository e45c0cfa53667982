import type { Page } from '@youworker/contracts/common'
import { LIMITS } from '@youworker/contracts/limits'

const MAX_PAGES = 50

/** All rows of a paged list, up to `MAX_PAGES`, for routes that answer without pages. */
export async function everyPage<T>(
  page: (page: Page) => Promise<{ readonly rows: readonly T[]; readonly total: number }>,
): Promise<T[]> {
  const limit = LIMITS.listRows
  const { rows, total } = await page({ limit, offset: 0 })
  const all = [...rows]
  for (let offset = limit; offset < total && offset < limit * MAX_PAGES; offset += limit) {
    const next = await page({ limit, offset })
    if (next.rows.length === 0) break
    all.push(...next.rows)
  }
  return all
}
