import { readFile, rename, writeFile } from 'node:fs/promises'
import { z } from 'zod'

/** Where everything is, for people and programs on this machine. Holds credentials. */
export const Endpoints = z.object({
  api: z.string(),
  nats: z.string(),
  postgres: z.string(),
  root_api_key: z.string(),
  processes: z.array(
    z.object({
      name: z.string(),
      /** `null` while it is being started again. */
      pid: z.number().int().nullable(),
      health_url: z.string().optional(),
      url: z.string().optional(),
    }),
  ),
})
export type Endpoints = z.infer<typeof Endpoints>

let writing: Promise<unknown> = Promise.resolve()

/** Replaces the file in one step; writes come one after another. */
export function writeEndpoints(file: string, endpoints: Endpoints): Promise<void> {
  const write = async () => {
    await writeFile(`${file}.new`, `${JSON.stringify(endpoints, undefined, 2)}\n`, { mode: 0o600 })
    await rename(`${file}.new`, file)
  }
  const done = writing.then(write, write)
  writing = done
  return done
}

export async function readEndpoints(file: string): Promise<Endpoints | undefined> {
  const text = await readFile(file, 'utf8').catch(() => undefined)
  return text === undefined ? undefined : Endpoints.parse(JSON.parse(text))
}
