import type { DocumentRow } from '@youworker/database/owners/ingestion/tables'
import type { RunView } from '../../../repositories/run-repository.ts'
import type { VersionRepository } from '../../../repositories/version-repository.ts'
import { identityOf, pathHashWithin } from '../../documents/document-path.ts'
import type { StoredFile } from '../attempt.ts'

interface DocumentsAt {
  /** By the hash of the path. */
  readonly present: ReadonlyMap<string, DocumentRow>
  readonly hashOf: (stored: Pick<StoredFile, 'file'>) => string
}

/**
 * The documents that a run sees at the paths of its files. In a collection of others a path that is new there counts only within it: so
 * its user neither replaces nor learns of what has the path elsewhere in that space.
 */
export async function documentsAt(
  versions: VersionRepository,
  { target_space_id, collection_id }: Pick<RunView, 'target_space_id' | 'collection_id'>,
  files: readonly Pick<StoredFile, 'file'>[],
  options: { readonly lock: boolean },
): Promise<DocumentsAt> {
  const own = ({ file }: Pick<StoredFile, 'file'>) => identityOf(file).path_hash
  if (collection_id === null) {
    return { present: await versions.byPath(target_space_id, files.map(own), options), hashOf: own }
  }
  const within = ({ file }: Pick<StoredFile, 'file'>) => pathHashWithin(collection_id, file)
  const present = await versions.byPath(target_space_id, [...files.map(own), ...files.map(within)], options)
  return { present, hashOf: (stored) => (present.has(own(stored)) ? own(stored) : within(stored)) }
}
