import { AppError } from '@youworker/contracts/errors'
import type { RunFileRow, RunRow } from '@youworker/database/owners/ingestion/tables'
import { ParserDied } from '../../parsing/parse-in-child.ts'
import type { IngestionUnitOfWork } from '../../unit-of-work.ts'
import type { FencedWrite } from '../search/embedding-service.ts'

interface Reading {
  readonly run: Pick<RunRow, 'id' | 'user_id'>
  readonly file: Pick<RunFileRow, 'index'>
  readonly signal: AbortSignal
  readonly write: FencedWrite
}

/** A first death may have been bad luck (a busy machine, little memory); a second one is the file's. */
const MAX_TRIES = 2

/**
 * Reads files, each at most twice until its user tries it again. A try is counted in the database before it begins, and not
 * counted any more when it ends in order: with a text, with a reason, or because this process was told to stop. So only what
 * kills its child, or the service with it, stays counted, whichever process tries next.
 */
export class FileReading {
  readonly #uow: IngestionUnitOfWork
  readonly #running = new Set<Promise<unknown>>()
  #alone: Promise<unknown> | undefined

  constructor(uow: IngestionUnitOfWork) {
    this.#uow = uow
  }

  /** `read` is all that is done with the bytes in this process. Throws `VALIDATION_ERROR` after the last try. */
  async of<T>({ run, file, signal, write }: Reading, read: () => Promise<T>): Promise<T> {
    let died: ParserDied | undefined
    for (let here = 1; ; here += 1) {
      const tries = await write(({ runs }) => runs.beginReading(run.id, file.index, MAX_TRIES))
      if (tries === undefined) throw givenUp(died)
      try {
        // An earlier process ended while it read this file: nobody else's file is read beside it, or it would be counted as well.
        const text = await (tries > here ? this.#readAlone(read, signal) : this.#readBesides(read, signal))
        await this.#ended(run, file)
        return text
      } catch (error) {
        if (!(error instanceof ParserDied)) {
          await this.#ended(run, file)
          throw error
        }
        died = error
      }
    }
  }

  /** Not fenced: each try takes back what it counted itself, also when another process owns the run by now. */
  async #ended(run: Reading['run'], file: Reading['file']): Promise<void> {
    await this.#uow.in([run.user_id]).write(({ runs }) => runs.endReading(run.id, file.index))
  }

  async #readBesides<T>(read: () => Promise<T>, signal: AbortSignal): Promise<T> {
    while (this.#alone) await settled([this.#alone])
    signal.throwIfAborted()
    const reading = read()
    this.#running.add(reading)
    return reading.finally(() => this.#running.delete(reading))
  }

  async #readAlone<T>(read: () => Promise<T>, signal: AbortSignal): Promise<T> {
    while (this.#alone || this.#running.size > 0) await settled([this.#alone, ...this.#running])
    signal.throwIfAborted()
    const reading = read()
    this.#alone = reading
    return reading.finally(() => (this.#alone = undefined))
  }
}

const settled = (readings: readonly unknown[]) => Promise.allSettled(readings)

const givenUp = (died: ParserDied | undefined) =>
  new AppError(
    'VALIDATION_ERROR',
    `it was given up after ${MAX_TRIES} tries: ${died?.message ?? 'the service ended while it read this file'}; split it or export it anew`,
  )
