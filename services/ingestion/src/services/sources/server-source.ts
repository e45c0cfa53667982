import type { StreamStore } from '../files/store-stream.ts'
import type { ServerFiles } from './server-files.ts'
import type { SourceFiles } from './source-files.ts'

/** So many of one run: with their names, a run's files still fit into one reply. */
const MAX_FILES = 500

interface Options {
  readonly files: ServerFiles
  readonly streams: StreamStore
  readonly target: string
  readonly recursive: boolean
  readonly owner: { readonly user_id: string; readonly space_id: string }
  readonly signal: AbortSignal
}

/** A file of the server, or all below a folder. */
export function serverSource({ files, streams, target, recursive, owner, signal }: Options): SourceFiles {
  const nameOf = (path: string) => ({ path, uri: `path://${path.split('/').map(encodeURIComponent).join('/')}` })
  return {
    maxFiles: MAX_FILES,
    nameOf,
    async first() {
      const paths = recursive && (await files.isFolder(target)) ? await files.list(target, MAX_FILES) : [target]
      return paths.map((path) => ({ target: path, depth: 0 }))
    },
    async load({ target: path }) {
      await using file = await files.open(path)
      const { blob, head } = await streams.write({ ...owner, name: path }, file.parts, signal)
      return { blob, head, ...nameOf(path), mime: undefined, links: [] }
    },
  }
}
