import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parse } from 'yaml'
import { ROOT } from './root.ts'

export interface ComposeService {
  readonly image?: string
  readonly extends?: { readonly file: string; readonly service: string }
  readonly profiles?: readonly string[]
  readonly build?: { readonly args: { readonly SERVICE: string } }
  readonly environment?: Readonly<Record<string, string>>
  readonly secrets?: readonly (string | { readonly source: string; readonly target: string })[]
  readonly networks?: readonly string[] | Readonly<Record<string, { readonly ipv4_address?: string }>>
  readonly volumes?: readonly string[]
  readonly ports?: readonly string[]
  readonly entrypoint?: readonly string[]
  readonly healthcheck?: unknown
  readonly depends_on?: Readonly<Record<string, unknown>>
  readonly [attribute: string]: unknown
}

interface Compose {
  readonly services: Readonly<Record<string, ComposeService>>
  readonly networks: Readonly<
    Record<string, { readonly internal?: boolean; readonly ipam?: { config: { subnet: string; ip_range?: string }[] } }>
  >
  readonly secrets: Readonly<Record<string, { readonly file: string }>>
}

/** Without what its services extend. */
export const readComposeFile = async (file: string) => parse(await readFile(join(ROOT, file), 'utf8'), { merge: true }) as Compose

/** With the environment of what its services extend, as compose merges it. */
export async function readCompose(file: string): Promise<Compose> {
  const compose = await readComposeFile(file)
  const merged = Object.entries(compose.services).map(async ([name, service]) => {
    const { file: other, service: from } = service.extends ?? {}
    if (other === undefined || from === undefined) return [name, service] as const
    const base = (await readComposeFile(other)).services[from]
    return [name, { ...service, environment: { ...base?.environment, ...service.environment } }] as const
  })
  return { ...compose, services: Object.fromEntries(await Promise.all(merged)) }
}

/** Without any variable set, as compose reads it: `${NAME:-default}` is the default. The secrets are those of a folder. */
export const environmentOf = ({ environment = {} }: ComposeService, secretsDir: string): Record<string, string> =>
  Object.fromEntries(
    Object.entries(environment).map(([name, value]) => [
      name,
      String(value)
        .replaceAll(/\$\{\w+:-([^}]*)\}/g, '$1')
        .replace(/^\/run\/secrets\//, `${secretsDir}/`),
    ]),
  )
