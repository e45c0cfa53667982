import { rename, writeFile } from 'node:fs/promises'

/** Content of endpoints.json: URLs (with credentials), the root key and the processes of a running system. */
export interface Endpoints {
  readonly api: string
  readonly nats: string
  readonly postgres: string
  readonly root_api_key: string
  readonly processes: readonly {
    readonly name: string
    /** `null` while the process waits for its next start. */
    readonly pid: number | null
    readonly health_url?: string
    readonly url?: string
  }[]
}

let writing: Promise<unknown> = Promise.resolve()

/** Replaces the file atomically. Calls are queued, so the last call's content stays. */
export function writeEndpoints(file: string, endpoints: Endpoints): Promise<void> {
  const write = async () => {
    await writeFile(`${file}.new`, `${JSON.stringify(endpoints, undefined, 2)}\n`, { mode: 0o600 })
    await rename(`${file}.new`, file)
  }
  const done = writing.then(write, write)
  writing = done
  return done
}
