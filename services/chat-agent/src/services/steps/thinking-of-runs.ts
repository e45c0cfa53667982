import { LIMITS } from '@youworker/contracts/limits'
import type { SpaceSealer } from '@youworker/database/sealing/sealer'
import { cutText } from '@youworker/runtime/text/text'
import type { ChatAgentRepositories } from '../../unit-of-work.ts'
import { sealContext } from '../sealed-fields.ts'
import type { StoredCall } from './call-record.ts'

/** Bytes of calls of models that are read for one page. */
const MOST_BYTES = 1024 * 1024
const CUT = '\n(The thoughts are cut here: they reached the most that is shown.)'

/** What models thought in runs, and those runs that are too many for one page. */
export interface Thinking {
  readonly byRun: ReadonlyMap<string, string>
  readonly left: ReadonlySet<string>
}

/** Whether or not the runs showed it. `runIds`: in the order in which they are wanted. */
export async function thinkingOf(
  { runs }: Pick<ChatAgentRepositories, 'runs'>,
  space: SpaceSealer,
  spaceId: string,
  runIds: readonly string[],
): Promise<Thinking> {
  const byRun = new Map<string, string>()
  const left = new Set<string>()
  const calls = runIds.length === 0 ? [] : await runs.callContents(spaceId, runIds, MOST_BYTES)
  for (const { run_id, iteration, n, content } of calls) {
    if (content === null) left.add(run_id)
    else {
      const context = n === null ? sealContext.stepContent(run_id, iteration) : sealContext.unfinishedContent(run_id, n)
      // Written by this service from the same type.
      const { thinking } = JSON.parse(space.openText(content, context)) as StoredCall
      const before = byRun.get(run_id) ?? ''
      if (thinking !== '') byRun.set(run_id, cut(before === '' ? thinking : `${before}\n\n${thinking}`))
    }
  }
  return { byRun, left }
}

const cut = (text: string): string =>
  text.length <= LIMITS.thinking ? text : `${cutText(text, LIMITS.thinking - CUT.length)}${CUT}`
