import { rm } from 'node:fs/promises'
import { bringUp, type RunningHouse } from './bring-up.ts'
import { runControlCommand } from './control-commands.ts'
import { startControlServer } from './control-server.ts'
import { collectFiles, type CollectedFiles } from './demo/collect-files.ts'
import { GatewayClient } from './demo/gateway-client.ts'
import { EXIT, ownDocs, runDemo } from './demo/run-demo.ts'
import { takeLock } from './lock.ts'
import { callerDir, type DataDir, dataDir } from './paths.ts'
import { prepareDataDir, resetDataDir } from './data-dir.ts'
import { say, seconds } from './say.ts'
import { loadDotEnv, readGivenSettings } from './settings.ts'
import { HELP, parseStartArguments, type RunCommand } from './start-arguments.ts'
import { StartError } from './start-error.ts'

const INTERRUPTED = 130

const stop = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stop.abort(signal))
// boot.mjs is gone, so nobody could stop us any more.
process.once('disconnect', () => stop.abort('disconnect'))
// A reader of our output that left (`npm start | head`) is no reason to end.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {})

process.exitCode = await main(process.argv.slice(2)).catch((error: unknown) => {
  if (stop.signal.aborted) return INTERRUPTED
  const isExpected = error instanceof StartError
  process.stderr.write(`\n${isExpected ? error.message : error instanceof Error ? error.stack : String(error)}\n`)
  return EXIT.startFailed
})
process.exit()

async function main(args: readonly string[]): Promise<number> {
  const command = parseStartArguments(args, callerDir())
  if (command.kind === 'help') {
    say(HELP)
    return 0
  }
  return command.kind === 'run' ? run(command) : runControlCommand(command, say)
}

async function run(command: RunCommand): Promise<number> {
  const began = performance.now()
  const areOwn = command.paths.length === 0
  const wanted = areOwn && (command.demo || command.question !== undefined) ? ownDocs() : command.paths
  const collected = await collectFiles(wanted, callerDir(), { mayBeEmpty: areOwn })
  loadDotEnv(say)
  const given = readGivenSettings(process.env)
  const data = dataDir(command.dataDir)
  await prepareDataDir(data)
  let house: RunningHouse | undefined
  await using control = await startControlServer(
    () => house,
    () => stop.abort('stop'),
  )
  await using _lock = await takeLock(data.lock, control)
  if (command.reset) await resetDataDir(data, say)
  await rm(data.endpoints, { force: true })
  say(`YouWorker: data in ${data.dir}`)
  try {
    house = await bringUp({ command, data, given, say, signal: stop.signal })
    say(`YouWorker is up (${seconds(performance.now() - began)})`)
    const code = await demo(command, house, collected, areOwn)
    if (command.once) return code
    printAddresses(house, data)
    await stopped()
    say('Stopping …')
    return 0
  } finally {
    await house?.stop()
    await rm(data.endpoints, { force: true })
  }
}

/** When the house stays up, a demo that fails is said and not the end. */
async function demo(command: RunCommand, house: RunningHouse, collected: CollectedFiles, areOwn: boolean): Promise<number> {
  if (collected.files.length === 0) return EXIT.cited
  const { api, root_api_key } = house.endpoints()
  const gateway = new GatewayClient(api, root_api_key, stop.signal)
  const write = (text: string) => void process.stdout.write(text)
  try {
    return await runDemo({
      gateway,
      collected,
      areOwn,
      question: command.question,
      ask: command.demo || command.question !== undefined,
      say,
      write,
    })
  } catch (error) {
    if (stop.signal.aborted) throw error
    say(`\nThe question could not be answered: ${error instanceof Error ? error.message : String(error)}`)
    say(`npm start -- logs shows what the services say.`)
    return EXIT.notCited
  }
}

function printAddresses(house: RunningHouse, data: DataDir): void {
  const { api } = house.endpoints()
  say(`
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
