import { randomUUID } from 'node:crypto'
import { mkdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { AppError } from '@youworker/contracts/errors'

const CLAIM_EVERY_MS = 10_000
/** After this time without renewal, another machine may take the folder over. */
const CLAIM_LASTS_MS = 60_000

/** A file in the index folder with the id of the machine that uses it. Processes and containers of one machine share it. */
export class IndexHost {
  readonly #dir: string
  readonly #mark: string
  #claiming: Promise<void> | undefined
  #claimedAt = Number.NEGATIVE_INFINITY

  constructor(dir: string) {
    this.#dir = dir
    this.#mark = join(dir, 'machine')
  }

  /** Throws `SERVICE_UNAVAILABLE` while another machine uses the folder. */
  async claim(): Promise<void> {
    if (performance.now() - this.#claimedAt < CLAIM_EVERY_MS) return
    this.#claiming ??= this.#renew().finally(() => (this.#claiming = undefined))
    await this.#claiming
  }

  async #renew(): Promise<void> {
    const [machine, owner] = await Promise.all([machineId(), readFile(this.#mark, 'utf8').catch(() => undefined)])
    if (owner !== undefined && owner !== machine && (await this.#age()) < CLAIM_LASTS_MS) {
      throw new AppError(
        'SERVICE_UNAVAILABLE',
        'Another machine uses the search index. The embedded index is for one machine: name a Qdrant for all of them in LLM__QDRANT_URL',
        { retryAfter: 60, cause: new Error(`the index in ${this.#dir}`) },
      )
    }
    // Needs no room, so that search goes on when the disk is full.
    if (owner === machine) await utimes(this.#mark, new Date(), new Date())
    else await this.#write(machine)
    this.#claimedAt = performance.now()
  }

  async #write(machine: string): Promise<void> {
    await mkdir(this.#dir, { recursive: true })
    const draft = `${this.#mark}.${randomUUID()}`
    try {
      await writeFile(draft, machine)
      await rename(draft, this.#mark)
    } catch (error) {
      await rm(draft, { force: true })
      throw error
    }
  }

  async #age(): Promise<number> {
    const { mtimeMs } = await stat(this.#mark)
    return Date.now() - mtimeMs
  }
}

/** The boot id (random(4)), which all containers of a machine share; without one the host's name. */
const machineId = (): Promise<string> => readFile('/proc/sys/kernel/random/boot_id', 'utf8').then((id) => id.trim(), hostname)
