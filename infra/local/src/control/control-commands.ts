import { readdir, readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { type Holder, readHolder } from '../data-dir/lock.ts'
import { type DataDir, dataDir } from '../data-dir/data-dir.ts'
import type { Print } from '../print.ts'
import type { ControlCommand } from '../start-arguments.ts'
import { StartError } from '../start-error.ts'

const STOP_MS = 10_000
const LOG_LINES = 100
const Status = z.object({
  starting: z.boolean(),
  processes: z.array(
    z.object({ name: z.string(), pid: z.number().nullable(), state: z.string(), up_seconds: z.number(), restarts: z.number() }),
  ),
})
const Restarted = z.object({ starting: z.boolean(), restarted: z.array(z.string()) })

/** Runs `status`, `logs`, `restart` or `stop` for the system that uses a data folder. Returns the exit code. */
export async function runControlCommand(command: ControlCommand, print: Print): Promise<number> {
  const data = dataDir(command.dataDir)
  if (command.kind === 'logs') return showLogs(data, command.name, print)
  const holder = await readHolder(data.lock)
  if (holder === undefined) {
    print(`YouWorker does not run with ${data.dir}. Start it with npm start.`)
    return command.kind === 'stop' ? 0 : 1
  }
  if (command.kind === 'status') return showStatus(holder, print)
  if (command.kind === 'restart') return restart(holder, command.name ?? '', print)
  return stop(holder, data, print)
}

async function showStatus(holder: Holder, print: Print): Promise<number> {
  const { starting, processes } = Status.parse(await ask(holder, 'GET', '/status'))
  if (starting) print('YouWorker is starting.')
  for (const { name, pid, state, up_seconds, restarts } of processes) {
    const again = restarts === 0 ? '' : `, started again ${restarts} time${restarts === 1 ? '' : 's'}`
    print(`${name.padEnd(16)} ${state.padEnd(10)} ${pid === null ? '' : `process ${pid}, up ${up_seconds} s`}${again}`)
  }
  return processes.every(({ state }) => state === 'ready' || state === 'up') ? 0 : 1
}

async function restart(holder: Holder, name: string, print: Print): Promise<number> {
  const { starting, restarted } = Restarted.parse(await ask(holder, 'POST', '/restart', name))
  if (restarted.length === 0)
    throw new StartError(
      starting ? 'YouWorker is still starting.' : `Nothing here is called ${name}; npm start -- status shows the names.`,
    )
  print(`Restarted: ${restarted.join(', ')}`)
  return 0
}

async function stop(holder: Holder, data: DataDir, print: Print): Promise<number> {
  await ask(holder, 'POST', '/stop')
  for (const until = Date.now() + STOP_MS; Date.now() < until; await sleep(50)) {
    if ((await readHolder(data.lock)) === undefined) {
      print('YouWorker has stopped.')
      return 0
    }
  }
  throw new StartError(
    `YouWorker (process ${holder.pid}) has not stopped within ${STOP_MS / 1000} s. End it with kill -9 ${holder.pid}; its children end with it.`,
  )
}

async function ask({ control }: Holder, method: string, path: string, body?: string): Promise<unknown> {
  try {
    const response = await fetch(`http://127.0.0.1:${control.port}${path}`, {
      method,
      body: body ?? null,
      headers: { authorization: `Bearer ${control.token}` },
      signal: AbortSignal.timeout(STOP_MS),
    })
    return await response.json()
  } catch (cause) {
    throw new StartError('YouWorker runs, but did not answer. Try again in a moment.', { cause })
  }
}

async function showLogs(data: DataDir, name: string | undefined, print: Print): Promise<number> {
  const all = (await readdir(data.logs).catch(() => []))
    .filter((file) => file.endsWith('.log'))
    .map((file) => file.slice(0, -'.log'.length))
  const wanted = all.filter((log) => name === undefined || log === name || log.replace(/\.\d+$/, '') === name).sort()
  if (wanted.length === 0)
    throw new StartError(
      name === undefined ? `There are no logs in ${data.logs}.` : `There is no log of ${name}; there are: ${all.join(', ')}.`,
    )
  for (const log of wanted) {
    const lines = (await readFile(data.log(log), 'utf8')).trimEnd().split('\n').slice(-LOG_LINES)
    print(`== ${log} (the last ${lines.length} lines of ${data.log(log)})`)
    for (const line of lines) print(line)
  }
  return 0
}
