import { execFile, spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const VARIABLE = 'YOUWORKER_CHAOS_DIR'
const NOT_TRIED = 2

/** In the process that {@link inNamespace} starts: the folder on which a file system may be mounted. */
export const namespaceDir: string | undefined = process.env[VARIABLE]

/**
 * Runs this same command once more where it may mount a file system that nobody else sees (a mount namespace, with the rights of
 * root only inside of it). Returns its exit code, or 2 where that is not possible.
 */
export async function inNamespace(stack: AsyncDisposableStack): Promise<number> {
  const unshare = ['--mount', ...(process.getuid?.() === 0 ? [] : ['--map-root-user']), '--']
  const dir = await mkdtemp(join(tmpdir(), 'youworker-chaos-'))
  stack.defer(() => rm(dir, { recursive: true, force: true }))
  const isPossible = await promisify(execFile)('unshare', [
    ...unshare,
    'mount',
    '-t',
    'tmpfs',
    '-o',
    'size=1m',
    'tmpfs',
    dir,
  ]).then(
    () => true,
    () => false,
  )
  if (!isPossible) {
    console.error(
      `A small disk needs Linux with mount namespaces (unshare --mount of util-linux, as root or with user namespaces allowed); ` +
        `this is ${process.platform}, where it does not work. Nothing was tried.`,
    )
    return NOT_TRIED
  }
  const child = spawn('unshare', [...unshare, process.execPath, ...process.argv.slice(1)], {
    env: { ...process.env, [VARIABLE]: dir },
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  const exited = new Promise<number>((resolve) => child.once('exit', (code) => resolve(code ?? 1)))
  stack.defer(async () => {
    if (child.connected) child.disconnect()
    await exited
  })
  return exited
}
