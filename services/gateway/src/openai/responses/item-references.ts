import { TERMINAL } from '@youworker/contracts/common'
import type { RequestContext } from '../../http/request-context.ts'
import type { ProtocolDeps } from '../../protocols/answer-run.ts'
import { refusal } from '../../protocols/run-input.ts'
import { runIdOfItem } from './ids.ts'
import type { ResponseBody } from './response-request.ts'
import { type OutputItem, outputOf } from './response-object.ts'

const MOST_RESPONSES = 32

/** Puts the items of earlier responses in place of references to them: clients name what they know to be stored. */
export async function withItems(
  body: ResponseBody,
  context: RequestContext,
  { chatAgent, runStreams }: ProtocolDeps,
): Promise<ResponseBody> {
  const { input } = body
  if (typeof input !== 'object' || !input?.some(isReference)) return body
  const runs = new Set(input.filter(isReference).map(({ id }) => runIdOfItem(id, 'input')))
  if (runs.size > MOST_RESPONSES)
    throw refusal(
      'input',
      `Items of at most ${MOST_RESPONSES} responses can be named; use previous_response_id or a conversation`,
    )
  const known = new Map<string, OutputItem>()
  for (const run_id of runs) {
    // A run that goes on is not waited for, and the log of one that has ended is, however long it takes to read.
    const { status } = await chatAgent.as(context.scope).getRun({ run_id })
    const whole = TERMINAL.includes(status) ? await runStreams.whole(run_id, context, context.deadline.longestMs) : undefined
    for (const item of whole ? outputOf({ ...whole.done, thoughts: whole.thoughts, searches: whole.searches }, run_id) : [])
      known.set(item.id, item)
  }
  const items = input.map((item, index) => {
    if (!isReference(item)) return item
    const found = known.get(item.id)
    if (found) return found
    throw refusal(`input.${index}`, 'There is no such item in a response that has ended')
  })
  return { ...body, input: items }
}

type Item = Exclude<ResponseBody['input'], string | null | undefined>[number]
type Reference = Extract<Item, { type: 'item_reference' }>

const isReference = (item: Item): item is Reference => item.type === 'item_reference'
