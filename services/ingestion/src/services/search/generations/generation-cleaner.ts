import type { Logger } from '@youworker/runtime/logger'
import type { GenerationRow } from '../../../repositories/generation-repository.ts'
import type { IngestionUnitOfWork } from '../../../unit-of-work.ts'
import type { IndexAdapters } from './index-adapter.ts'

interface CleanerParts {
  readonly uow: IngestionUnitOfWork
  readonly adapters: IndexAdapters
  readonly logger: Logger
}

/** A search that began before the switch has ended by then, and every process has seen it. In ms. */
const GRACE_MS = 20_000
const SPACES = 100
const VECTORS = 5_000

/** Erases indexes that are searched no more, and vectors that no index needs. Any process may do it, and do it again. */
export class GenerationCleaner {
  readonly #parts: CleanerParts

  constructor(parts: CleanerParts) {
    this.#parts = parts
  }

  async sweep(): Promise<void> {
    const { uow } = this.#parts
    const outdated = await uow.system().read(({ generations }) => generations.outdated(GRACE_MS))
    for (const row of outdated) await this.#erase(row)
  }

  async #erase(row: GenerationRow): Promise<void> {
    const { number, adapter, embed_model } = row
    const { uow, adapters, logger } = this.#parts
    const kept = await uow.system().read(({ generations }) => generations.kept())
    for (const active of kept.filter(({ state }) => state === 'active')) await adapters[active.adapter]?.activate(active)
    // Where the settings name it no more it cannot be erased; its vectors can.
    await adapters[adapter]?.erase(row)
    const names = kept.filter((other) => other.state !== 'retired').map(({ vectors }) => vectors)
    let after: string | undefined
    for (let size = SPACES; size === SPACES;) {
      const spaces = await uow.system().read(({ checks }) => checks.spaces(after, SPACES))
      for (const space of spaces) await this.#eraseVectors(space, names)
      size = spaces.length
      after = spaces.at(-1)
    }
    await uow.system().write(({ generations }) => generations.erased(number))
    logger.info({ number, model: embed_model }, 'a search index that is used no more was erased')
  }

  async #eraseVectors(space: string, names: readonly string[]): Promise<void> {
    const scope = this.#parts.uow.inWithDeleted([space])
    for (let gone = VECTORS; gone === VECTORS;)
      gone = await scope.write(({ generations }) => generations.deleteOtherVectors(space, names, VECTORS))
  }
}
