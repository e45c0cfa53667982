import { AppError } from '@youworker/contracts/errors'
import { familyOf, isFileMime } from '@youworker/contracts/file-types'
import { fileName } from '../../documents/document-path.ts'
import type { BlobStore } from '../../files/blob-store.ts'
import type { Attempt, StoredFile } from '../attempt.ts'
import { isOfFile } from './file-error.ts'
import type { Transcriber, Transcript } from './transcriber.ts'

/** By the index of the file in its run: what is said in it, or why that is not known. */
export type Transcripts = ReadonlyMap<number, Transcript | AppError>

interface ListenerDependencies {
  readonly store: BlobStore
  /** Missing where nothing transcribes. */
  readonly transcriber: Transcriber | undefined
}

const NO_TRANSCRIBER =
  'recordings are read where AUDIO__BASE_URL names a server that transcribes; have it set, and start this file again'

export const isRecording = ({ mime }: { readonly mime: string | null }): boolean =>
  mime !== null && isFileMime(mime) && familyOf(mime) === 'recording'

/** Has the recordings of a batch transcribed, which takes minutes in which this process computes nothing. */
export class RecordingListener {
  readonly #store: BlobStore
  readonly #transcriber: Transcriber | undefined

  constructor({ store, transcriber }: ListenerDependencies) {
    this.#store = store
    this.#transcriber = transcriber
  }

  async transcribe(attempt: Attempt, files: readonly StoredFile[]): Promise<Transcripts> {
    const recordings = files.filter(({ file }) => isRecording(file))
    return new Map(
      await Promise.all(recordings.map(async (stored) => [stored.file.index, await this.#one(attempt, stored)] as const)),
    )
  }

  async #one({ run, signal }: Attempt, { file, blob }: StoredFile): Promise<Transcript | AppError> {
    if (!this.#transcriber) return new AppError('UNSUPPORTED_MEDIA_TYPE', NO_TRANSCRIBER)
    const bytesOf = await this.#store.openAll([blob])
    const bytes = () => bytesOf(blob, signal)
    const recording = { name: fileName(file.path), mime: file.mime ?? '', size: blob.size ?? 0, bytes }
    try {
      return await this.#transcriber.transcribe(recording, { user: run.user_id, signal })
    } catch (error) {
      signal.throwIfAborted()
      if (error instanceof AppError && isOfFile(error)) return error
      throw error
    }
  }
}
