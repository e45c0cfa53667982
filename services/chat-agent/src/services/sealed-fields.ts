import type { RunEntry, RunEntryBody } from '@youworker/contracts/run-log'
import type { SpaceSealer } from '@youworker/database/sealing/sealer'

/** Where sealed values of this schema belong; a value moved to another row or column does not open. */
export const place = {
  title: (id: string) => ({ table: 'sessions.title', id }),
  message: (id: string) => ({ table: 'messages.content', id }),
  entry: (runId: string, n: number) => ({ table: 'run_entries.body', id: `${runId}/${n}` }),
  args: (id: string) => ({ table: 'tool_runs.args', id }),
  result: (id: string) => ({ table: 'tool_runs.result', id }),
  preview: (id: string) => ({ table: 'tool_runs.preview', id }),
  error: (id: string) => ({ table: 'tool_runs.error', id }),
}

export function openTitle(space: SpaceSealer, { id, title }: { id: string; title: Buffer | null }): string | null {
  return title === null ? null : space.openText(title, place.title(id))
}

export function openEntry(space: SpaceSealer, runId: string, { n, body }: { n: number; body: Buffer }): RunEntry {
  // Written by this service from the same type.
  return { n, body: JSON.parse(space.openText(body, place.entry(runId, n))) as RunEntryBody }
}
