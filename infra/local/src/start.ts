import { rm } from 'node:fs/promises'
import { forTerminal } from '@youworker/runtime/text/text'
import type { RunningSystem } from './supervisor/bring-up.ts'
import { runControlCommand } from './control/control-commands.ts'
import { startControlServer } from './control/control-server.ts'
import { collectFiles, type CollectedFiles } from './demo/collect-files.ts'
import { GatewayClient } from './demo/gateway-client.ts'
import { EXIT, ownDocs, runDemo } from './demo/run-demo.ts'
import { takeLock } from './data-dir/lock.ts'
import { type DataDir, dataDir, prepareDataDir, resetDataDir } from './data-dir/data-dir.ts'
import { callerDir } from './paths.ts'
import { print, seconds, write } from './print.ts'
import { judge } from './settings/judge.ts'
import { loadSettings } from './settings/load-settings.ts'
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
  return command.kind === 'run' ? run(command) : runControlCommand(command, print, stop.signal)
}

async function run(command: RunCommand): Promise<number> {
  const began = performance.now()
  const areOwn = command.paths.length === 0
  const wanted = areOwn && (command.demo || command.question !== undefined) ? ownDocs() : command.paths
  const collected = await collectFiles(wanted, callerDir(), { mayBeEmpty: areOwn })
  const { given, schemas } = await loadSettings(process.env, print)
  const data = dataDir(command.dataDir)
  await judge({ given, schemas, data, reset: command.reset, needsModel: command.once && collected.files.length > 0, print })
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
    const code = await demo(command, system, collected, areOwn)
    if (command.once) return code
    printAddresses(system, data)
    await stopped()
    print('Stopping …')
    return 0
  } finally {
    await system?.stop()
    await rm(data.endpoints, { force: true })
  }
}

/** Returns the exit code. A demo that fails is printed and does not stop the system. */
async function demo(command: RunCommand, system: RunningSystem, collected: CollectedFiles, areOwn: boolean): Promise<number> {
  if (collected.files.length === 0) return EXIT.cited
  const { api, root_api_key } = system.endpoints()
  const gateway = new GatewayClient(api, root_api_key, stop.signal)
  try {
    return await runDemo({
      gateway,
      collected,
      areOwn,
      question: command.question,
      ask: command.demo || command.question !== undefined,
      print,
      write,
    })
  } catch (error) {
    if (stop.signal.aborted) throw error
    print(`\nThe question could not be answered: ${error instanceof Error ? error.message : String(error)}`)
    print(`npm start -- logs shows what the services say.`)
    return EXIT.notCited
  }
}

function printAddresses(system: RunningSystem, data: DataDir): void {
  const { api } = system.endpoints()
  print(`
API      ${api}/v1
Docs     ${api}/docs
Health   ${api}/health
Sign in  send the header X-API-Key with the root key, which is root_api_key in
         ${data.endpoints}
         e.g.  curl -H "X-API-Key: $(node -p 'require("${data.endpoints}").root_api_key')" ${api}/v1/auth/me

Ctrl+C stops it; npm start -- status shows its parts.`)
}

function stopped(): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  if (stop.signal.aborted) resolve()
  stop.signal.addEventListener('abort', () => resolve(), { once: true })
  return promise
}
