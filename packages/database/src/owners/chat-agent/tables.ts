import type { Status } from '@youworker/contracts/common'
import type { Generated, Selectable } from 'kysely'
import type { DeletableColumns, HiddenColumn } from '../../deletion/deletable-tables.ts'
import type { SystemTables } from '../../schema/system-tables.ts'

/** Tables of the schema `chat_agent`. Times are ISO-8601 strings; columns of type Buffer are sealed. */
export interface ChatAgentTables extends SystemTables {
  sessions: {
    id: string
    space_id: string
    user_id: string
    external_id: string
    title: Buffer | null
    /** Who wrote the title: `words` are the first ones of its first question. `null`: nobody, or nobody knows. */
    title_by: 'user' | 'words' | 'model' | null
    metadata: Generated<Buffer | null>
    instructions: Generated<Buffer | null>
    /** Its user may have left it. */
    group_id: Generated<string | null>
    when_busy: Generated<'queue' | 'interrupt' | 'reject'>
    model: string | null
    enable_tools: boolean
    /** Someone set `enable_tools` by hand: a run may then switch tools off, but not on. */
    tools_pinned: boolean
    message_count: Generated<number>
    /** Number of the latest run, of all branches. */
    turn: Generated<number>
    /** The branch that goes on; `null` as long as there is only one. */
    branch: Generated<number | null>
    /** Its `id` in `branches`; `null` for branch 0. */
    branch_id: Generated<string | null>
    created_at: Generated<string>
    updated_at: Generated<string>
  } & DeletableColumns
  /**
   * In the order of the conversation: by `turn`, then by `position`. An answer belongs to its question's turn. A `summary` stands behind the
   * last turn of those that it covers; only models are shown it.
   */
  messages: {
    id: string
    space_id: string
    session_id: string
    run_id: string
    turn: number
    branch: Generated<number>
    position: Generated<number>
    role: 'user' | 'assistant' | 'summary'
    content: Buffer
    tokens_in: Generated<number>
    tokens_out: Generated<number>
    created_at: Generated<string>
  }
  /**
   * A branch of a session beside its first one, which is 0 and has no row. It has the messages of `from_branch` before the one at
   * `before_turn` and `before_position`, in whose place its own first turn stands. `number`: of that turn; `id`: of its run.
   */
  branches: {
    session_id: string
    number: number
    space_id: string
    id: string
    from_branch: number
    before_turn: number
    before_position: number
    created_at: Generated<string>
  }
  /** The domain half of the `jobs` row with the same id. */
  runs: {
    id: string
    space_id: string
    user_id: string
    /** The session or key that started it: its revocation ends the run. */
    sid: string
    session_id: string
    grant_id: string
    turn: number
    branch: Generated<number>
    status: Generated<Status>
    /** The attempt whose entries count; a former owner's are no longer written. */
    attempt: Generated<number>
    model: string | null
    enable_tools: boolean
    disable_web: boolean
    max_iterations: number | null
    /** What was asked for beside the text, sealed; `null` when nothing was. */
    settings: Buffer | null
    tokens_in: Generated<number>
    tokens_out: Generated<number>
    ttft_ms: number | null
    stop_reason: 'user' | 'revoked' | null
    error: string | null
    created_at: Generated<string>
    updated_at: Generated<string>
  } & HiddenColumn
  /** The run's log; `body` is a sealed `RunEntryBody`. */
  run_entries: { run_id: string; n: number; attempt: number; space_id: string; body: Buffer }
  /**
   * One per call of the model that ended. `text_end`: length of the run's text by then, in UTF-16 units. `num_ctx` and `max_tokens`: what
   * the call was given of them, beside the parameters of its run. `content`: what it was asked and what it answered, sealed.
   */
  model_steps: {
    run_id: string
    iteration: number
    space_id: string
    model: string
    latency_ms: number
    tokens_in: number
    tokens_out: number
    /** The model did not count; the tokens are those of `countTokens`. */
    estimated: Generated<boolean>
    text_end: number
    attempt: number | null
    started_at: string | null
    backend: string | null
    num_ctx: number | null
    max_tokens: number | null
    finish_reason: string | null
    content: Buffer | null
  }
  /**
   * One per call of the model that did not come to its end: it failed, was stopped, or the process that made it ended. `iteration`: the
   * step it would have been. `said`: the sealed words of the model server about its failure; `error`: those that its user is told.
   */
  unfinished_calls: {
    run_id: string
    n: number
    space_id: string
    iteration: number
    reason: 'failed' | 'stopped' | 'interrupted'
    model: string
    latency_ms: number | null
    tokens_in: number
    tokens_out: number
    estimated: boolean
    text_end: number
    said: Buffer | null
    error: Buffer | null
    attempt: number | null
    started_at: string | null
    backend: string | null
    num_ctx: number | null
    max_tokens: number | null
    content: Buffer | null
    created_at: Generated<string>
  }
  /** Written before the call is made. `called_at` without `end_ts`: nobody knows what became of the call. */
  tool_runs: {
    id: string
    space_id: string
    user_id: string
    session_id: string
    run_id: string
    iteration: number
    index: number
    tool_name: string
    status: Generated<'running' | 'success' | 'error' | 'unknown'>
    idempotent: boolean
    args: Buffer
    result: Buffer | null
    preview: Buffer | null
    error: Buffer | null
    /** It failed because its server, or a service behind it, was away. */
    is_away: Generated<boolean>
    start_ts: Generated<string>
    called_at: string | null
    end_ts: string | null
    latency_ms: number | null
  }
  /**
   * Answers that may be given again to the same user and question; erased with the run that made them. `key`: digest of all that the answer
   * depends on. `knowledge`: buckets of `knowledge_changes` that it was made from. `made_at`: when its run was added.
   */
  cached_answers: {
    space_id: string
    key: Buffer
    run_id: string
    body: Buffer
    knowledge: number[]
    made_at: string
    expires_at: string
  }
  /** When something changed that can be found by those who read a space. Spaces share a fixed number of buckets, so nothing is left of them. */
  knowledge_changes: {
    bucket: number
    /** What was made from it before is out of date. */
    fresh_from: string
  }
  /** Servers of models, of the whole installation. `api_key` is sealed for the origin of `base_url`. */
  model_backends: {
    id: string
    name: string
    protocol: 'ollama' | 'openai'
    base_url: string
    api_key: Buffer | null
    /** `environment`: settings of the service make it what it is. */
    source: 'environment' | 'admin'
    enabled: Generated<boolean>
    concurrency: number | null
    priority: Generated<number>
    created_at: Generated<string>
    updated_at: Generated<string>
  }
  /** Models that servers get for somebody who watches. The process that began one renews `updated_at`, who watches `watched_until`. */
  model_pulls: {
    id: string
    backend_id: string
    model: string
    status: Generated<'running' | 'success' | 'failed' | 'cancelled'>
    stage: Generated<string>
    /** Bytes. */
    completed: Generated<number>
    total: Generated<number>
    error: string | null
    watched_until: string
    created_at: Generated<string>
    updated_at: Generated<string>
  }
}

export type SessionRow = Selectable<ChatAgentTables['sessions']>
export type BranchRow = Selectable<ChatAgentTables['branches']>
export type MessageRow = Selectable<ChatAgentTables['messages']>
export type RunRow = Selectable<ChatAgentTables['runs']>
export type EntryRow = Selectable<ChatAgentTables['run_entries']>
export type ModelStepRow = Selectable<ChatAgentTables['model_steps']>
export type UnfinishedCallRow = Selectable<ChatAgentTables['unfinished_calls']>
export type ModelBackendRow = Selectable<ChatAgentTables['model_backends']>
export type ModelPullRow = Selectable<ChatAgentTables['model_pulls']>
export type ToolRunRow = Selectable<ChatAgentTables['tool_runs']>
