import { rm } from 'node:fs/promises'
import { forTerminal } from '@youworker/runtime/text/text'
import type { RunningSystem } from './supervisor/bring-up.ts'
import { runControlCommand } from './control/control-commands.ts'
import { startControlServer } from './control/control-server.ts'
import { runClientCommand } from './demo/client-commands.ts'
import { collectFiles, type CollectedFiles } from './demo/collect-files.ts'
import { GatewayClient } from './demo/gateway-client.ts'
import { EXIT, runDemo } from './demo/run-demo.ts'
import { takeLock } from './data-dir/lock.ts'
import { dataDir, prepareDataDir, resetDataDir } from './data-dir/data-dir.ts'
import { callerDir, DEFAULT_DATA_DIR, shellWord } from './paths.ts'
import { output, print, seconds } from './print.ts'
import { refuseFaults } from './settings/refuse-faults.ts'
import { loadSettings } from './settings/load-settings.ts'
import { watchSources } from './watch/watch-sources.ts'
import { HELP, parseStartArguments, type RunCommand } from './start-arguments.ts'
import { StartError } from './start-error.ts'
import { refuseSwallowedOptions } from './swallowed-options.ts'

const INTERRUPTED = 130

const stop = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stop.abort(signal))
// boot.mjs has ended, so nobody could stop this process any more.
process.once('disconnect', () => stop.abort('disconnect'))
// Writing to a closed pipe (`npm start | head`) must not end the system.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {})

process.exitCode = await main(process.argv.slice(2)).catch((error: unknown) => {
  if (stop.signal.aborted) return INTERRUPTED
  // What the operating system refuses has a message that says all; a stack would hide it.
  const isExpected = error instanceof StartError || (error instanceof Error && 'syscall' in error)
  const text = isExpected ? error.message : error instanceof Error ? error.stack : String(error)
  process.stderr.write(forTerminal(`\n${text}\n`))
  return EXIT.startFailed
})
process.exit()

async function main(args: readonly string[]): Promise<number> {
  refuseSwallowedOptions(process.env)
  const command = parseStartArguments(args, callerDir())
  if (command.kind === 'help') {
    print(HELP)
    return 0
  }
  if (command.kind === 'run') return run(command)
  if (command.kind === 'ask' || command.kind === 'add') return runClientCommand(command, output, stop.signal)
  return runControlCommand(command, print, stop.signal)
}

async function run(command: RunCommand): Promise<number> {
  const began = performance.now()
  const collected = command.paths.length === 0 ? undefined : await collectFiles(command.paths, callerDir())
  const { given, schemas } = await loadSettings(process.env, print)
  const data = dataDir(command.dataDir)
  await refuseFaults({ given, schemas, data, reset: command.reset, needsModel: command.once && collected !== undefined, print })
  await prepareDataDir(data)
  let system: RunningSystem | undefined
  await using control = await startControlServer(
    () => system,
    () => stop.abort('stop'),
  )
  await using _lock = await takeLock(data.lock, control)
  if (command.reset) await resetDataDir(data, print)
  await rm(data.endpoints, { force: true })
  print(`YouWorker: data in ${data.dir}`)
  try {
    const { bringUp } = await import('./supervisor/bring-up.ts')
    system = await bringUp({ command, data, given, print, signal: stop.signal })
    print(`YouWorker is up (${seconds(performance.now() - began)})`)
    const code = await demo(command, system, collected)
    if (command.once) return code
    using _watch = command.watch ? watchSources(system, print, stop.signal) : undefined
    printAddresses(system, command)
    await stopped()
    print('Stopping …')
    return 0
  } finally {
    await system?.stop()
    await rm(data.endpoints, { force: true })
  }
}

/** Returns the exit code. A demo that fails is printed and does not stop the system. */
async function demo(command: RunCommand, system: RunningSystem, given: CollectedFiles | undefined): Promise<number> {
  const { api, root_api_key } = system.endpoints()
  const gateway = new GatewayClient(api, root_api_key, stop.signal)
  try {
    return await runDemo({
      gateway,
      given,
      question: command.question,
      ask: command.demo || command.question !== undefined,
      askCommand: startCommand(command, command.once ? '--once --ask "…"' : 'ask "…"'),
      output,
    })
  } catch (error) {
    if (stop.signal.aborted) throw error
    print(`\nThe question could not be answered: ${error instanceof Error ? error.message : String(error)}`)
    print(`${startCommand(command, 'logs')} shows what the services say.`)
    return EXIT.notCited
  }
}

function printAddresses(system: RunningSystem, command: RunCommand): void {
  const { api } = system.endpoints()
  const { endpoints } = dataDir(command.dataDir)
  const key = `$(node -p ${shellWord(`require(${JSON.stringify(endpoints)}).root_api_key`)})`
  print(`
API      ${api}/v1
Docs     ${api}/docs
Health   ${api}/health
Sign in  send the header X-API-Key with the root key, which is root_api_key in
         ${endpoints}
         e.g.  curl -H "X-API-Key: ${key}" ${api}/v1/auth/me

In another terminal, in this folder:
         ${startCommand(command, 'ask "QUESTION"')}
         ${startCommand(command, 'add FILE or FOLDER')}
         npm run youworker -- users add ada${dataOption(command.dataDir)}

Ctrl+C stops it; ${startCommand(command, 'status')} shows its parts.`)
}

/** A command for the system that runs, to be pasted. */
function startCommand({ dataDir: dir }: RunCommand, words: string): string {
  return `npm start -- ${words}${dataOption(dir)}`
}

function dataOption(dir: string): string {
  return dir === DEFAULT_DATA_DIR ? '' : ` --data ${shellWord(dir)}`
}

function stopped(): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  if (stop.signal.aborted) resolve()
  stop.signal.addEventListener('abort', () => resolve(), { once: true })
  return promise
}
