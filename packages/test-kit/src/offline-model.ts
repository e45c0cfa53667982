import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { freePort } from '@youworker/embedded/port'
import { waitFor } from './wait-for.ts'

const MAIN = fileURLToPath(new URL('../../../infra/offline-model/src/main.ts', import.meta.url))

/** Rules as defined in infra/offline-model/src/script.ts. */
export interface ModelScript {
  readonly rules: readonly { match?: object; times?: number; reply?: object }[]
}

export interface TestModel extends AsyncDisposable {
  /** Base URL for the `ollama` client. The model is named `youworker-offline`. */
  readonly url: string
  readonly pid: number
  /** Applies from the next request on and resets the counts of `times`. */
  setScript(script: ModelScript): Promise<void>
}

/** Starts the offline model as a child process. With `tokensPerSecond` 0 it replies at once. */
export async function startOfflineModel({
  script = { rules: [] },
  tokensPerSecond = 0,
}: { script?: ModelScript; tokensPerSecond?: number } = {}): Promise<TestModel> {
  await using stack = new AsyncDisposableStack()
  const dir = await mkdtemp(join(tmpdir(), 'youworker-model-'))
  stack.defer(() => rm(dir, { recursive: true, force: true }))
  const file = join(dir, 'script.json')
  const setScript = async (next: ModelScript) => {
    await writeFile(`${file}.new`, JSON.stringify(next))
    await rename(`${file}.new`, file)
  }
  await setScript(script)

  const port = await freePort()
  const env = {
    APP_ENV: 'test',
    LOG_LEVEL: 'warn',
    OFFLINE_MODEL__PORT: String(port),
    OFFLINE_MODEL__TOKENS_PER_SECOND: String(tokensPerSecond),
    OFFLINE_MODEL__SCRIPT: file,
  }
  // The IPC channel ends the child when this process ends.
  const child = spawn(process.execPath, [MAIN], { env, stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  const ended = once(child, 'exit')
  stack.defer(async () => {
    child.kill('SIGTERM')
    await ended
  })
  const url = `http://127.0.0.1:${port}`
  await Promise.race([
    waitFor(async () => (await fetch(`${url}/api/version`)).ok, { what: 'the offline model' }),
    ended.then(([code]) => Promise.reject(new Error(`the offline model ended with code ${code} before it answered`))),
  ])
  const resources = stack.move()
  return { url, pid: child.pid ?? 0, setScript, [Symbol.asyncDispose]: () => resources.disposeAsync() }
}
