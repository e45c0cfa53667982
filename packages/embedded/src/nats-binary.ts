import { execFile } from 'node:child_process'
import { chmod, copyFile, mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { succeeds } from './child-server.ts'

const run = promisify(execFile)
const OLDEST = [2, 9, 10] as const
/** Inside node_modules, so that all data folders of one checkout share it and it is removed with the packages. */
export const TOOL_CACHE = join(import.meta.dirname, '../../../node_modules/.cache/youworker')

export interface NatsBinary {
  readonly path: string
  readonly version: string
}

/** Finds nats-server in PATH, else in the cache, else unpacks the distribution's package without root. */
export async function findNatsServer({
  cacheDir = TOOL_CACHE,
  onProgress,
}: { cacheDir?: string; onProgress?: ((message: string) => void) | undefined } = {}): Promise<NatsBinary> {
  const cached = join(cacheDir, `${process.platform}-${process.arch}`, 'nats-server')
  const found = (await probeNatsServer('nats-server')) ?? (await probeNatsServer(cached))
  if (found) return found
  if (!(await succeeds(['apt-get', '--version'])) || !(await succeeds(['dpkg', '--version']))) throw new Error(howToInstall())
  onProgress?.("NATS: fetching nats-server from the distribution's packages (only the first time)")
  try {
    await unpackPackage(cacheDir, cached)
  } catch (cause) {
    throw new Error(howToInstall(cause instanceof Error ? cause.message.trim().split('\n').at(-1) : undefined), { cause })
  }
  const unpacked = await probeNatsServer(cached)
  if (!unpacked) throw new Error(howToInstall('the package does not run on this machine'))
  return unpacked
}

/** Returns undefined when the binary does not run here or is too old. */
export async function probeNatsServer(path: string): Promise<NatsBinary | undefined> {
  const output = await run(path, ['--version']).then(
    ({ stdout, stderr }) => stdout + stderr,
    () => '',
  )
  const version = /(\d{1,9}\.\d{1,9}\.\d{1,9})/.exec(output)?.[1]
  return version !== undefined && isAtLeast(version, OLDEST) ? { path, version } : undefined
}

export function isAtLeast(version: string, [major, minor, patch]: readonly [number, number, number]): boolean {
  const [a = 0, b = 0, c = 0] = version.split('.').map(Number)
  return a !== major ? a > major : b !== minor ? b > minor : c >= patch
}

/** Runs apt with its own state folders: needs no root and no earlier `apt-get update`, and changes nothing on the machine. */
async function unpackPackage(cacheDir: string, target: string): Promise<void> {
  await mkdir(cacheDir, { recursive: true })
  const dir = await mkdtemp(join(cacheDir, 'apt-'))
  try {
    await Promise.all(
      ['lists/partial', 'cache/archives/partial', 'download', 'root'].map((name) => mkdir(join(dir, name), { recursive: true })),
    )
    await writeFile(join(dir, 'status'), '')
    const config = join(dir, 'apt.conf')
    await writeFile(config, aptConfig(dir))
    const options = { cwd: join(dir, 'download') }
    await run('apt-get', ['-c', config, 'update'], options)
    await run('apt-get', ['-c', config, 'download', 'nats-server'], options)
    const [deb] = (await readdir(options.cwd)).filter((name) => name.endsWith('.deb'))
    if (deb === undefined) throw new Error('apt-get downloaded no package')
    await run('dpkg', ['-x', join(options.cwd, deb), join(dir, 'root')])
    const binary = join(dir, 'nats-server')
    await mkdir(dirname(target), { recursive: true })
    await copyFile(join(dir, 'root/usr/bin/nats-server'), binary).catch(() =>
      copyFile(join(dir, 'root/usr/sbin/nats-server'), binary),
    )
    await chmod(binary, 0o755)
    // Renamed into place, so that a concurrent start never sees a partial file.
    await rename(binary, target)
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}

function aptConfig(dir: string): string {
  const settings = {
    'Dir::State': dir,
    'Dir::State::lists': join(dir, 'lists'),
    'Dir::State::status': join(dir, 'status'),
    'Dir::Cache': join(dir, 'cache'),
    'APT::Sandbox::User': 'root',
    'Acquire::Languages': 'none',
    'Acquire::Retries': '2',
    'Acquire::http::Timeout': '15',
  }
  return Object.entries(settings)
    .map(([name, value]) => `${name} "${value}";\n`)
    .join('')
}

function howToInstall(reason?: string): string {
  return [
    `nats-server ${OLDEST.join('.')} or later is needed and was not found${reason === undefined ? '' : ` (${reason})`}. Install it, then start again:`,
    '  Debian, Ubuntu:  sudo apt-get install nats-server',
    '  macOS:           brew install nats-server',
    '  others:          https://github.com/nats-io/nats-server/releases, the binary on PATH',
    'Or run one elsewhere (docker run -p 4222:4222 nats:2.12 -js) and set NATS__URL=nats://127.0.0.1:4222.',
  ].join('\n')
}
