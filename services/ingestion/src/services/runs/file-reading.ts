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

/**
 * A first death of the child may have been bad luck (a busy machine, little memory); a second one is the file's. The service itself
 * dies for many other reasons, and with the file only by a fault of ours; one less than a job has attempts, so that the other files
 * of the run still have one.
 */
const MOST = { deaths: 2, tries: 4 } as const

/**
 * Reads files until they have killed the process that reads them twice, or the service four times; then their user has to try again.
 * A try is counted in the database before it begins, and not counted any more when it ends in order: with a text, with a reason, or
 * because this process was told to stop. So only deaths stay counted, whichever process tries next.
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
    for (;;) {
      const tries = await write(({ runs }) => runs.beginReading(run.id, file.index, MOST))
      if (tries === undefined) throw givenUp(died)
      try {
        // An earlier process ended while it read this file: nobody else's file is read beside it, or it would be counted as well.
        const text = await (tries > 1 ? this.#readAlone(read, signal) : this.#readBesides(read, signal))
        await this.#ended(run, file)
        return text
      } catch (error) {
        const readerDied = error instanceof ParserDied
        await this.#ended(run, file, readerDied)
        if (!readerDied) throw error
        died = error
      }
    }
  }

  /** Not fenced: each try takes back what it counted itself, also when another process owns the run by now. */
  async #ended(run: Reading['run'], file: Reading['file'], readerDied = false): Promise<void> {
    await this.#uow.in([run.user_id]).write(({ runs }) => runs.endReading(run.id, file.index, { readerDied }))
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

/** `died`: as seen by this process; without it the file was given up before this process began. */
const givenUp = (died: ParserDied | undefined) =>
  new AppError(
    'VALIDATION_ERROR',
    died === undefined
      ? 'it was given up because what reads it ended each time; split it or export it anew'
      : `it was given up after ${MOST.deaths} tries: ${died.message}; split it or export it anew`,
  )
