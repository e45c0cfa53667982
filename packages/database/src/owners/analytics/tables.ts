import type { Status } from '@youworker/contracts/common'
import type { ColumnType, Generated, Selectable } from 'kysely'
import type { SystemTables } from '../../schema/system-tables.ts'

/**
 * One row per session, message, run and document in the events; `space_id` is the user's id and times are those of the events.
 * Events arrive in any order: a column is null until the event that fills it arrives.
 */
export interface AnalyticsTables extends SystemTables {
  sessions: {
    session_id: string
    space_id: string
    model: string | null
    enable_tools: boolean | null
    created_at: string | null
    deleted_at: string | null
  } & HidingTimes
  messages: {
    message_id: string
    space_id: string
    session_id: string
    /** `none`: no message, but the tokens of a run that ended without one; `message_id` is the run's. */
    role: 'user' | 'assistant' | 'none'
    model: string | null
    tokens_in: number
    tokens_out: number
    created_at: string
  }
  tool_runs: {
    tool_run_id: string
    space_id: string
    /** `null` for calls of versions that did not tell it. */
    session_id: string | null
    tool_name: string
    status: 'success' | 'error' | 'unknown'
    latency_ms: number
    finished_at: string
  }
  /** Values of the latest `run.finished` event: a run that is repeated finishes again. */
  ingestion_runs: {
    run_id: string
    space_id: string
    /** The group whose documents it was for; `null` also for rows of versions that did not tell it. */
    group_id: string | null
    status: Status
    files: number
    chunks: number
    total_bytes: number
    duration_ms: number
    finished_at: string
    /** Orders two events with the same time. */
    event_id: string
  }
  /** Values of the latest ingestion. The id of a deleted document is never used again. */
  documents: {
    document_id: string
    /** Of the group, once the user who brought it is deleted: the document stays with the group. */
    space_id: string
    /** `null` for documents of one's own, and until the next ingestion of those that a version brought which did not tell it. */
    group_id: string | null
    bytes_size: number | null
    chunks: number | null
    ingested_at: string | null
    event_id: string | null
    deleted_at: string | null
  } & HidingTimes
}

/** Of what can be deleted and restored; the later one counts. */
export interface HidingTimes {
  hidden_at: Generated<string | null>
  shown_at: Generated<string | null>
  /** Made by Postgres of the two. */
  is_hidden: ColumnType<boolean, never, never>
}

export type SessionRow = Selectable<AnalyticsTables['sessions']>
export type MessageRow = Selectable<AnalyticsTables['messages']>
export type ToolRunRow = Selectable<AnalyticsTables['tool_runs']>
export type IngestionRunRow = Selectable<AnalyticsTables['ingestion_runs']>
export type DocumentRow = Selectable<AnalyticsTables['documents']>
