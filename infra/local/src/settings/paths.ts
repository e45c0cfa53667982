import { join } from 'node:path'

export const ROOT = join(import.meta.dirname, '../../../..')
export const DEFAULT_DATA_DIR = join(ROOT, '.youworker')
/** Where the user typed the command; npm itself changes to the package's folder. */
export const callerDir = (): string => process.env['INIT_CWD'] ?? process.cwd()

export interface DataDir {
  readonly dir: string
  readonly endpoints: string
  readonly secrets: string
  readonly lock: string
  readonly postgres: string
  readonly nats: string
  readonly index: string
  readonly logs: string
  log(name: string): string
}

export function dataDir(dir: string): DataDir {
  const logs = join(dir, 'logs')
  return {
    dir,
    endpoints: join(dir, 'endpoints.json'),
    secrets: join(dir, 'secrets.json'),
    lock: join(dir, 'lock'),
    postgres: join(dir, 'postgres'),
    nats: join(dir, 'nats'),
    index: join(dir, 'index'),
    logs,
    log: (name) => join(logs, `${name}.log`),
  }
}
