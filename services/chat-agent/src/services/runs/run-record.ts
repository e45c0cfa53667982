import type { RunEntry } from '@youworker/contracts/run-log'
import type { MessageRow, ModelStepRow, RunRow, SessionRow, ToolRunRow } from '@youworker/database/owners/chat-agent/tables'
import { LeaseLost } from '@youworker/database/jobs/jobs'
import type { Sealer, SpaceSealer } from '@youworker/database/sealing/sealer'
import type { ChatAgentRepositories, ChatAgentUnitOfWork } from '../../unit-of-work.ts'
import { CitationBook } from '../agent/citation-book.ts'
import { CitationFilter } from '../agent/citation-filter.ts'
import type { ModelMessage } from '../models/model-port.ts'
import { restoreTurn, type StoredCall, type StoredResult } from './restore-turn.ts'
import { openEntry, place } from '../sealed-fields.ts'
import { readTranscript } from './transcript.ts'

const HISTORY = 100
const ENTRIES = 5_000

interface StoredRun {
  readonly run: RunRow
  readonly session: SessionRow
  readonly entries: readonly RunEntry[]
  readonly steps: readonly ModelStepRow[]
  readonly toolRuns: readonly ToolRunRow[]
  readonly messages: readonly MessageRow[]
  readonly space: SpaceSealer
}

/** Everything that is known of a run, in clear: what a new owner goes on from, and what its end is made of. */
export type RunRecord = ReturnType<typeof toRecord>

/** Throws LeaseLost when the run is not there any more. */
export async function loadRun(
  uow: ChatAgentUnitOfWork,
  sealer: Sealer,
  key: { id: string; space_id: string },
): Promise<RunRecord> {
  const space = await sealer.forSpace(key.space_id)
  const stored = await uow.in([key.space_id]).read(async (repositories) => {
    const run = await repositories.runs.find(key.id)
    const session = run && (await repositories.sessions.find(run.user_id, run.session_id))
    if (!run || !session) throw new LeaseLost(`run ${key.id} was deleted`)
    return {
      run,
      session,
      entries: await allEntries(repositories, space, run.id),
      steps: await repositories.runs.steps(run.id),
      toolRuns: await repositories.toolRuns.ofRun(run.id),
      messages: await repositories.messages.latest(session.id, run.turn, HISTORY),
      space,
    }
  })
  return toRecord(stored)
}

async function allEntries({ entries }: ChatAgentRepositories, space: SpaceSealer, runId: string): Promise<RunEntry[]> {
  const all: RunEntry[] = []
  for (;;) {
    const page = await entries.page(runId, all.at(-1)?.n ?? 0, ENTRIES)
    for (const row of page) all.push(openEntry(space, runId, row))
    if (page.length < ENTRIES) return all
  }
}

function toRecord({ run, session, entries, steps, toolRuns, messages, space }: StoredRun) {
  const transcript = readTranscript(entries)
  const book = new CitationBook()
  const calls = toolRuns.map((row) => openCall(space, row))
  const turns = messages.toReversed().map((row) => ({ row, content: space.openText(row.content, place.message(row.id)) }))
  const question = turns.findLast(({ row }) => row.run_id === run.id && row.role === 'user')?.content ?? ''
  const earlier = turns.slice(0, -1)
  // Numbers of passages mean something only within their own run.
  const unnumbered = (text: string) => new CitationFilter(() => false).whole(text)
  const history = earlier.map(({ row, content }): ModelMessage => ({
    role: row.role,
    content: row.role === 'assistant' ? unnumbered(content) : content,
  }))
  const sum = (count: (step: ModelStepRow) => number) => steps.reduce((total, step) => total + count(step), 0)
  return {
    run,
    session,
    space,
    transcript,
    book,
    history,
    ...restoreTurn({ question, text: transcript.text, steps, calls }, book),
    calls,
    iterations: steps.length,
    tokens_in: sum((step) => step.tokens_in),
    tokens_out: sum((step) => step.tokens_out),
  }
}

function openCall(space: SpaceSealer, row: ToolRunRow): StoredCall {
  const { id, iteration, status, idempotent, latency_ms } = row
  const text = (sealed: Buffer | null, where: typeof place.error) => (sealed === null ? null : space.openText(sealed, where(id)))
  const result = text(row.result, place.result)
  return {
    id,
    iteration,
    name: row.tool_name,
    // Both were written by this service from the same types.
    args: JSON.parse(space.openText(row.args, place.args(id))) as Record<string, unknown>,
    result: result === null ? null : (JSON.parse(result) as StoredResult),
    status,
    called: row.called_at !== null,
    idempotent,
    latency_ms,
    error: text(row.error, place.error),
  }
}
