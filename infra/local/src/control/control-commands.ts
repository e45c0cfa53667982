import { readdir, readFile } from 'node:fs/promises'
import { createInterface } from 'node:readline/promises'
import { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { type Holder, readHolder } from '../data-dir/lock.ts'
import { type DataDir, dataDir } from '../data-dir/data-dir.ts'
import type { Print } from '../print.ts'
import type { ControlCommand } from '../start-arguments.ts'
import { StartError } from '../start-error.ts'
import type { ChangeLine, ProcessStatus } from './control-server.ts'

const STOP_MS = 10_000
const LOG_LINES = 100
const WELL: ReadonlySet<string> = new Set<ProcessStatus['state']>(['ready', 'up', 'leaving'])
const Status = z.object({
  starting: z.boolean(),
  processes: z.array(
    z.object({
      name: z.string(),
      pid: z.number().nullable(),
      state: z.string(),
      up_seconds: z.number(),
      restarts: z.number(),
      other_pids: z.array(z.number()),
    }),
  ),
})
const Line = z.union([
  z.object({ step: z.string() }),
  z.object({ done: z.array(z.string()) }),
  z.object({ error: z.string() }),
]) satisfies z.ZodType<ChangeLine>

/**
 * Runs `status`, `logs`, `restart`, `scale` or `stop` for the system that uses a data folder. Returns the exit code. An aborted
 * `signal` ends a restart or scale after the step under way.
 */
export async function runControlCommand(command: ControlCommand, print: Print, signal: AbortSignal): Promise<number> {
  const data = dataDir(command.dataDir)
  if (command.kind === 'logs') return showLogs(data, command.name, print)
  const holder = await readHolder(data.lock)
  if (holder === undefined) {
    print(`YouWorker does not run with ${data.dir}. Start it with npm start.`)
    return command.kind === 'stop' ? 0 : 1
  }
  if (command.kind === 'status') return showStatus(holder, print)
  if (command.kind === 'restart') {
    const done = await change(holder, '/restart', command.name ?? '', print, signal)
    print(`Restarted: ${done.join(', ')}`)
    return 0
  }
  if (command.kind === 'scale') {
    await change(holder, '/scale', JSON.stringify(command.counts), print, signal)
    return 0
  }
  return stop(holder, data, print)
}

async function showStatus(holder: Holder, print: Print): Promise<number> {
  const { starting, processes } = Status.parse(await ask(holder, 'GET', '/status'))
  if (starting) print('YouWorker is starting.')
  for (const { name, pid, state, up_seconds, restarts, other_pids } of processes) {
    const beside = other_pids.length === 0 ? '' : `; beside it while it is replaced: process ${other_pids.join(', ')}`
    const again = restarts === 0 ? '' : `, started again ${restarts} time${restarts === 1 ? '' : 's'}`
    print(`${name.padEnd(16)} ${state.padEnd(10)} ${pid === null ? '' : `process ${pid}, up ${up_seconds} s`}${again}${beside}`)
  }
  return processes.every(({ state }) => WELL.has(state)) ? 0 : 1
}

/** Prints the steps of a change as they are made, and returns what it changed. */
async function change({ control }: Holder, path: string, body: string, print: Print, signal: AbortSignal): Promise<string[]> {
  const headers = { authorization: `Bearer ${control.token}` }
  try {
    const response = await fetch(`http://127.0.0.1:${control.port}${path}`, { method: 'POST', body, headers, signal })
    for await (const text of createInterface({ input: Readable.fromWeb(response.body ?? new ReadableStream()) })) {
      const line = Line.parse(JSON.parse(text))
      if ('error' in line) throw new StartError(line.error)
      if ('done' in line) return line.done
      print(line.step)
    }
  } catch (cause) {
    signal.throwIfAborted()
    if (cause instanceof StartError) throw cause
  }
  throw new StartError('YouWorker was stopped meanwhile, or did not answer. See npm start -- status.')
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
