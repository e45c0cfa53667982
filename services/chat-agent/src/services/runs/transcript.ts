import { ENTRIES_PER_ATTEMPT, type Done, type RunEntry, type ToolEvent } from '@youworker/contracts/run-log'

export const entryNumber = (attempt: number, index: number): number => attempt * ENTRIES_PER_ATTEMPT + index
export const attemptOf = (n: number): number => Math.floor(n / ENTRIES_PER_ATTEMPT)

/** What the log of a run says so far, whoever wrote it. */
export interface Transcript {
  /** UTF-16 offsets of rewinds refer to this. */
  readonly text: string
  readonly tool_events: ToolEvent[]
  readonly logs: Done['logs']
  /** The index of the last entry of each attempt. */
  readonly lastIndex: ReadonlyMap<number, number>
}

/** Entries in the order of their numbers. */
export function readTranscript(entries: Iterable<RunEntry>): Transcript {
  let text = ''
  const tool_events: ToolEvent[] = []
  const logs: Done['logs'] = []
  const lastIndex = new Map<number, number>()
  for (const { n, body } of entries) {
    lastIndex.set(attemptOf(n), n % ENTRIES_PER_ATTEMPT)
    if (body.event === 'token') text += body.data.text
    else if (body.event === 'rewind') text = text.slice(0, body.data.offset)
    else if (body.event === 'tool') tool_events.push(body.data)
    else if (body.event === 'log') logs.push(body.data)
  }
  return { text, tool_events, logs, lastIndex }
}
