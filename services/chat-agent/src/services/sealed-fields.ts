import type { RunEntry, RunEntryBody } from '@youworker/contracts/agent/run-log'
import type { SpaceSealer } from '@youworker/database/sealing/sealer'

/** What each sealed column is bound to: a value that was moved to another row or column cannot be unsealed. */
export const sealContext = {
  settings: (runId: string) => ({ table: 'runs.settings', id: runId }),
  title: (id: string) => ({ table: 'sessions.title', id }),
  metadata: (id: string) => ({ table: 'sessions.metadata', id }),
  instructions: (id: string) => ({ table: 'sessions.instructions', id }),
  message: (id: string) => ({ table: 'messages.content', id }),
  entry: (runId: string, n: number) => ({ table: 'run_entries.body', id: `${runId}/${n}` }),
  said: (runId: string, n: number) => ({ table: 'unfinished_calls.said', id: `${runId}/${n}` }),
  callError: (runId: string, n: number) => ({ table: 'unfinished_calls.error', id: `${runId}/${n}` }),
  unfinishedContent: (runId: string, n: number) => ({ table: 'unfinished_calls.content', id: `${runId}/${n}` }),
  stepContent: (runId: string, iteration: number) => ({ table: 'model_steps.content', id: `${runId}/${iteration}` }),
  args: (id: string) => ({ table: 'tool_runs.args', id }),
  result: (id: string) => ({ table: 'tool_runs.result', id }),
  preview: (id: string) => ({ table: 'tool_runs.preview', id }),
  error: (id: string) => ({ table: 'tool_runs.error', id }),
  cachedAnswer: (runId: string) => ({ table: 'cached_answers.body', id: runId }),
  backendKey: (id: string, origin: string) => ({ table: 'model_backends.api_key', id: `${id}/${origin}` }),
}

export function unsealTitle(space: SpaceSealer, { id, title }: { id: string; title: Buffer | null }): string | null {
  return title === null ? null : space.openText(title, sealContext.title(id))
}

export const unsealInstructions = (space: SpaceSealer, { id, instructions }: { id: string; instructions: Buffer | null }) =>
  instructions === null ? undefined : space.openText(instructions, sealContext.instructions(id))

export function unsealEntry(space: SpaceSealer, runId: string, { n, body }: { n: number; body: Buffer }): RunEntry {
  // Written by this service from the same type.
  return { n, body: JSON.parse(space.openText(body, sealContext.entry(runId, n))) as RunEntryBody }
}
