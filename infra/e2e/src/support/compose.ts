import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parse } from 'yaml'
import { ROOT } from './root.ts'

export interface ComposeService {
  readonly image?: string
  readonly build?: { readonly args: { readonly SERVICE: string } }
  readonly environment?: Readonly<Record<string, string>>
  readonly secrets?: readonly string[]
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
  readonly networks: Readonly<Record<string, { readonly internal?: boolean; readonly ipam?: { config: { subnet: string }[] } }>>
  readonly secrets: Readonly<Record<string, { readonly file: string }>>
}

export const readCompose = async (file: string) => parse(await readFile(join(ROOT, file), 'utf8'), { merge: true }) as Compose

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
