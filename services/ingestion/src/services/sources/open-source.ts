import type { SourceRow } from '@youworker/database/owners/ingestion/tables'
import type { GuardedFetcher } from '@youworker/guarded-fetch/guarded-fetcher'
import type { RunView } from '../../repositories/run-repository.ts'
import type { StreamStore } from '../files/store-stream.ts'
import type { ServerFiles } from './server-files.ts'
import { serverSource } from './server-source.ts'
import type { SourceFiles } from './source-files.ts'
import { WebSource } from './web-source.ts'

interface Openers {
  readonly fetcher: GuardedFetcher
  readonly files: ServerFiles
  readonly streams: StreamStore
}

/** What a run's source is read with. Files are sealed for the space of their documents at once. */
export const sourceOpener =
  ({ fetcher, files, streams }: Openers) =>
  (source: SourceRow, run: RunView, signal: AbortSignal): SourceFiles => {
    const owner = { user_id: run.user_id, space_id: run.target_space_id }
    const { target, recursive, max_pages: pages, max_depth: depth } = source
    return source.source === 'web'
      ? new WebSource({ fetcher, streams, target, recursive, max: { pages, depth }, owner, signal })
      : serverSource({ files, streams, target, recursive, owner, signal })
  }
