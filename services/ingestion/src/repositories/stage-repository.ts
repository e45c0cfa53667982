import type { Status } from '@youworker/contracts/common'
import type { Stage, TimelineEntry } from '@youworker/contracts/documents/runs'
import type { Checkpoint, IngestionTables, StagedChunkRow } from '@youworker/database/owners/ingestion/tables'
import { type Kysely, sql } from 'kysely'

/** What a step has changed of one file. `error` is cleared when it is not given; anything else stays as it is. */
export interface FileRecord {
  readonly index: number
  readonly status?: Status
  readonly stage?: Stage
  readonly percent?: number
  readonly error?: string
  readonly checkpoint?: Checkpoint
  readonly title?: string
  readonly chunks?: number
  readonly document_id?: string
  /** The upload is a document's file now, or gone. */
  readonly drops_blob?: boolean
  /** One try to read it has ended in order. */
  readonly read_ended?: boolean
  /** The process that read it died. */
  readonly reader_died?: boolean
  readonly entries?: readonly TimelineEntry[]
}

export interface StagedText {
  readonly file_index: number
  readonly index: number
  readonly text: string
  readonly title_path: string[]
  readonly text_hash: string
}

export interface StagedFacts {
  readonly title: string | null
  readonly chunks: number
}

interface Completed {
  readonly indexes: readonly number[]
  readonly entries: readonly TimelineEntry[]
}

type Position = Pick<StagedText, 'file_index' | 'index'>
export type NewStagedChunk = Omit<StagedChunkRow, 'run_id' | 'space_id'>

const ROWS_PER_INSERT = 500
/** Later failures of the same file are not added. */
const MOST_ENTRIES = 100

/** The files of a run on their way, many in one statement. */
export class StageRepository {
  readonly #db: Kysely<IngestionTables>

  constructor(db: Kysely<IngestionTables>) {
    this.#db = db
  }

  /** Counts one more try to read each of the files. Returns those that have not been tried too often. */
  async beginReading(
    runId: string,
    indexes: readonly number[],
    { pipeline, ...most }: { pipeline: string; tries: number; deaths: number },
  ): Promise<number[]> {
    const rows = await this.#db
      .updateTable('run_files')
      .set({
        read_tries: sql<number>`read_tries + 1`,
        status: 'running',
        stage: 'parsing',
        percent: 5,
        checkpoint: null,
        pipeline,
      })
      .where('run_id', '=', runId)
      .where(sql<boolean>`index = any(${[...indexes]}::int[])`)
      .where('read_tries', '<', most.tries)
      .where('reader_deaths', '<', most.deaths)
      .returning('index')
      .execute()
    await this.dropStaged(runId, indexes)
    return rows.map(({ index }) => index)
  }

  async dropStaged(runId: string, indexes: readonly number[]): Promise<void> {
    const staged = this.#db.deleteFrom('staged_chunks').where('run_id', '=', runId)
    await staged.where(sql<boolean>`file_index = any(${[...indexes]}::int[])`).execute()
  }

  /** What runs have left that ended a week ago: their files are gone, too. */
  async sweep(): Promise<void> {
    await sql`
      delete from staged_chunks s using jobs j where j.id = s.run_id and j.finished_at < now() - interval '7 days'`.execute(
      this.#db,
    )
  }

  /** Of all runs into a space. */
  async dropSpace(spaceId: string): Promise<void> {
    await this.#db.deleteFrom('staged_chunks').where('space_id', '=', spaceId).execute()
  }

  async stage(runId: string, spaceId: string, chunks: readonly NewStagedChunk[]): Promise<void> {
    for (let at = 0; at < chunks.length; at += ROWS_PER_INSERT) {
      const rows = chunks.slice(at, at + ROWS_PER_INSERT).map((chunk) => ({ ...chunk, run_id: runId, space_id: spaceId }))
      await this.#db.insertInto('staged_chunks').values(rows).execute()
    }
  }

  async record(runId: string, records: readonly FileRecord[]): Promise<void> {
    if (records.length === 0) return
    await sql`
      update run_files f set
        status = coalesce(r.status, f.status), stage = coalesce(r.stage, f.stage), percent = coalesce(r.percent, f.percent),
        error = r.error, checkpoint = coalesce(r.checkpoint, f.checkpoint), title = coalesce(r.title, f.title),
        chunks = coalesce(r.chunks, f.chunks), document_id = coalesce(r.document_id, f.document_id),
        blob_id = case when r.drops_blob then null else f.blob_id end,
        read_tries = greatest(0, f.read_tries - case when r.read_ended then 1 else 0 end),
        reader_deaths = f.reader_deaths + case when r.reader_died then 1 else 0 end,
        timeline = f.timeline || coalesce(r.entries, '[]')
      from jsonb_to_recordset(${JSON.stringify(records)}::jsonb) as r (index int, status text, stage text, percent real, error text,
        checkpoint text, title text, chunks int, document_id uuid, drops_blob boolean, read_ended boolean, reader_died boolean, entries jsonb)
      where f.run_id = ${runId} and f.index = r.index`.execute(this.#db)
  }

  /** Of the files, behind a position: texts that have no vector of the model yet. */
  async withoutVector(
    runId: string,
    files: readonly number[],
    { model, after, limit }: { model: string; after: Position | undefined; limit: number },
  ): Promise<StagedText[]> {
    const { rows } = await sql<StagedText>`
      select s.file_index, s.index, s.text, s.title_path, s.text_hash from staged_chunks s
      where s.run_id = ${runId} and s.file_index = any(${[...files]}::int[])
        and (s.file_index, s.index) > (${after?.file_index ?? -1}, ${after?.index ?? -1})
        and not exists (select from embeddings e where e.space_id = s.space_id and e.text_hash = s.text_hash and e.model = ${model})
      order by s.file_index, s.index limit ${limit}`.execute(this.#db)
    return rows
  }

  /** Of a long file: how far it is. */
  async reportEmbedded(runId: string, { file_index, index }: Position): Promise<void> {
    const percent = sql<number>`30 + 60 * least(1, ${index}::real / greatest(1, chunks))`
    const file = this.#db.updateTable('run_files').set({ percent }).where('run_id', '=', runId).where('index', '=', file_index)
    await file.execute()
  }

  /** What was found when the files were read, by their index. */
  async facts(runId: string, indexes: readonly number[]): Promise<Map<number, StagedFacts>> {
    const files = this.#db.selectFrom('run_files').select(['index', 'title', 'chunks']).where('run_id', '=', runId)
    const rows = await files.where(sql<boolean>`index = any(${[...indexes]}::int[])`).execute()
    return new Map(rows.map((row) => [row.index, row]))
  }

  /** The staged chunks of files become those of documents. */
  async moveChunks(runId: string, moves: readonly { index: number; document_id: string; generation: number }[]): Promise<void> {
    if (moves.length === 0) return
    await sql`
      with moved as (
        delete from staged_chunks s using jsonb_to_recordset(${JSON.stringify(moves)}::jsonb) as m (index int, document_id uuid, generation int)
        where s.run_id = ${runId} and s.file_index = m.index
        returning s.*, m.document_id, m.generation
      )
      insert into chunks (id, space_id, document_id, generation, index, text, title_path, page, start, "end", text_hash, language, time_start, time_end)
      select id, space_id, document_id, generation, index, text, title_path, page, start, "end", text_hash, language, time_start, time_end from moved
      order by file_index, index`.execute(this.#db)
  }

  /** The last stage of those files that have succeeded. */
  async complete(runId: string, spaceId: string, { indexes, entries }: Completed): Promise<void> {
    await sql`
      update run_files set stage = 'done', percent = 100, timeline = timeline || ${JSON.stringify(entries)}::jsonb
      where run_id = ${runId} and index = any(${[...indexes]}::int[]) and status = 'success' and stage <> 'done'`.execute(
      this.#db,
    )
    await this.keepTimelines(runId, spaceId, indexes)
  }

  /** The attempt ended with a failure that is none of the files': they wait for the next one. */
  async interrupt(
    runId: string,
    indexes: readonly number[],
    failure: Omit<TimelineEntry, 'step' | 'duration_ms'>,
  ): Promise<void> {
    const step = sql`case checkpoint when 'chunked' then 'embedded' when 'embedded' then 'indexed'
      else case status when 'success' then 'indexed' else 'parsed' end end`
    await sql`
      update run_files set status = case status when 'running' then 'pending' else status end, timeline = timeline ||
        jsonb_build_array(${JSON.stringify({ ...failure, duration_ms: 0 })}::jsonb || jsonb_build_object('step', ${step}))
      where run_id = ${runId} and index = any(${[...indexes]}::int[]) and status <> 'failed' and stage <> 'done'
        and jsonb_array_length(timeline) < ${MOST_ENTRIES}`.execute(this.#db)
  }

  timelines(documentId: string, limit: number): Promise<{ run_id: string; created_at: string; entries: TimelineEntry[] }[]> {
    const all = this.#db.selectFrom('document_timelines').select(['run_id', 'created_at', 'entries'])
    return all.where('document_id', '=', documentId).orderBy('created_at', 'desc').limit(limit).execute()
  }

  /** Files that are done tell their documents how. */
  async keepTimelines(runId: string, spaceId: string, indexes: readonly number[]): Promise<void> {
    await sql`
      insert into document_timelines (document_id, run_id, file_index, space_id, entries)
      select f.document_id, f.run_id, f.index, d.space_id, f.timeline from run_files f
      join documents d on d.id = f.document_id and d.space_id = ${spaceId}
      where f.run_id = ${runId} and f.index = any(${[...indexes]}::int[])
      on conflict (document_id, run_id, file_index) do update set entries = excluded.entries`.execute(this.#db)
  }
}
