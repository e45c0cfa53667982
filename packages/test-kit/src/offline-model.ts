import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { freePort } from '@youworker/embedded/port'
import { waitFor } from './wait-for.ts'

const MAIN = fileURLToPath(new URL('../../../infra/offline-model/src/main.ts', import.meta.url))

/** Rules as infra/offline-model/src/script.ts says. */
export interface ModelScript {
  readonly rules: readonly { match?: object; times?: number; reply?: object }[]
}

export interface TestModel extends AsyncDisposable {
  /** For the `ollama` client. The model's name is `youworker-offline`. */
  readonly url: string
  readonly pid: number
  /** Holds from the next request on; counts of requests begin anew. */
  setScript(script: ModelScript): Promise<void>
}

/** The offline model as a process of its own. `tokensPerSecond` 0 answers at once. */
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
  // The channel ends the child when this process is gone.
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
