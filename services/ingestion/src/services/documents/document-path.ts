import { createHash } from 'node:crypto'
import type { Source } from '@youworker/contracts/documents/sources'
import { AppError } from '@youworker/contracts/errors'
import type { Part } from '@youworker/database/unit-of-work'

const MAX_LENGTH = 1_024

interface DocumentPath {
  /** `notes/a.md`: folders as sent, without a leading slash. */
  readonly path: string
  readonly path_hash: string
  readonly uri: string
}

/** One spelling for every path. Throws `VALIDATION_ERROR` for one that leads out of its folder or names nothing. */
export function documentPath(name: string): DocumentPath {
  const segments = name
    .toWellFormed()
    .normalize('NFC')
    .replaceAll('\\', '/')
    .split('/')
    .map((segment) => segment.trim())
    .filter((segment, index) => segment !== '' && segment !== '.' && !(index === 0 && /^[A-Za-z]:$/.test(segment)))
  const path = segments.join('/')
  if (segments.includes('..')) throw refused('must not contain ".."')
  if (path === '') throw refused('names no file')
  if (path.length > MAX_LENGTH) throw refused(`is longer than ${MAX_LENGTH} characters`)
  if (/\p{Cc}/u.test(path)) throw refused('must not contain control characters')
  return {
    path,
    path_hash: createHash('sha256').update(path).digest('hex'),
    uri: `upload://${segments.map(encodeURIComponent).join('/')}`,
  }
}

/** What makes a file the next version of a document: the path of an upload, the address of what was fetched. */
export const identityOf = ({ path, uri }: { readonly path: string; readonly uri: string }): DocumentPath =>
  sourceOf(uri) === 'upload' ? documentPath(path) : { path, uri, path_hash: createHash('sha256').update(uri).digest('hex') }

/** Of a document whose path counts only within something, so that nobody learns of a path outside it. */
export const pathHashWithin = (id: string, file: { readonly path: string; readonly uri: string }): string =>
  createHash('sha256')
    .update(`${id}/${identityOf(file).path_hash}`)
    .digest('hex')

export function sourceOf(uri: string): Source {
  if (uri.startsWith('upload://')) return 'upload'
  return uri.startsWith('path://') ? 'path' : 'web'
}

const refused = (why: string) => new AppError('VALIDATION_ERROR', `the file's name ${why}; rename it and send it again`)

export const fileName = (path: string): string => path.slice(path.lastIndexOf('/') + 1)

/** The space that a document lives in: its group's, unless it is private. */
export const spaceOf = (document: { user_id: string; group_id?: string | null | undefined; is_private: boolean }): string =>
  document.group_id != null && !document.is_private ? document.group_id : document.user_id

interface RunTarget {
  readonly user_id: string
  readonly group_id: string | null
  readonly target_space_id: string
  readonly collection_id: string | null
}

/**
 * What a unit of work of a run sees. Its own rows and its uploads' are in the user's space or the group's, its documents' in one of these,
 * or in a collection of others.
 */
export const seenBy = ({ user_id, group_id, target_space_id, collection_id }: RunTarget): [string[], Part[]] => {
  if (collection_id !== null) return [[user_id], [{ space_id: target_space_id, id: collection_id }]]
  return [group_id === null ? [user_id] : [user_id, group_id], []]
}
