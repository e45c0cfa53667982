import { setTimeout as sleep } from 'node:timers/promises'
import type { Processes } from './process-cpu.ts'

/** `--profile=NAME`: the process, as it is called in the output of a bench. */
const WANTED = process.argv.find((arg) => arg.startsWith('--profile='))?.slice('--profile='.length)
const INSPECTOR = 'http://127.0.0.1:9229/json'
const INTERVAL_US = 250
const SHOWN = 20
/** A folder of this repository, a package from the registry, or a part of Node. */
const OURS = /\/((?:services|packages)\/[^/]+\/src(?:\/[^/]+)*)\/[^/]+$/
const LIBRARY = /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)\//

interface Profile {
  readonly nodes: readonly {
    readonly id: number
    readonly callFrame: { readonly functionName: string; readonly url: string }
    readonly children?: readonly number[]
  }[]
  readonly samples: readonly number[]
  readonly timeDeltas: readonly number[]
}

/** Microseconds in which the process worked, each for the nearest code of ours that wanted it. */
let times = new Map<string, number>()

/** Runs `work` and, with `--profile`, notes what that process does meanwhile. */
export async function profiled<T>(processes: Processes, work: () => Promise<T>): Promise<T> {
  const target = WANTED === undefined ? undefined : processes.find(({ name }) => name.startsWith(WANTED))
  if (target === undefined) return work()
  const inspector = await openInspector(target.pid)
  await inspector.call('Profiler.enable')
  await inspector.call('Profiler.setSamplingInterval', { interval: INTERVAL_US })
  await inspector.call('Profiler.start')
  try {
    return await work()
  } finally {
    const { profile } = (await inspector.call('Profiler.stop')) as { profile: Profile }
    inspector.close()
    add(profile)
  }
}

async function openInspector(pid: number) {
  process.kill(pid, 'SIGUSR1')
  const socket = new WebSocket(await inspectorUrl())
  const answers = new Map<number, (result: unknown) => void>()
  await new Promise((resolve, reject) => {
    socket.addEventListener('open', resolve)
    socket.addEventListener('error', reject)
  })
  socket.addEventListener('message', ({ data }) => {
    const { id, result } = JSON.parse(String(data)) as { id: number; result: unknown }
    answers.get(id)?.(result)
  })
  return {
    call(method: string, params: object = {}): Promise<unknown> {
      const id = answers.size
      socket.send(JSON.stringify({ id, method, params }))
      return new Promise((resolve) => answers.set(id, resolve))
    },
    close: () => socket.close(),
  }
}

async function inspectorUrl(): Promise<string> {
  for (let tries = 0; ; tries += 1) {
    try {
      const [target] = (await (await fetch(INSPECTOR)).json()) as { webSocketDebuggerUrl: string }[]
      return target?.webSocketDebuggerUrl ?? ''
    } catch (error) {
      if (tries === 20) throw error
      await sleep(100)
    }
  }
}

/** Shares of the time in which the process worked, over all of the bench. */
export function printProfile(): void {
  if (times.size === 0) return
  const total = [...times.values()].reduce((sum, us) => sum + us, 0)
  console.log(`profile of ${WANTED}:`)
  for (const [owner, us] of [...times].toSorted(([, a], [, b]) => b - a).slice(0, SHOWN))
    console.log(`  ${((100 * us) / total).toFixed(1).padStart(5)} %  ${owner}`)
  times = new Map()
}

function add({ nodes, samples, timeDeltas }: Profile): void {
  const byId = new Map(nodes.map((node) => [node.id, node]))
  const parents = new Map(nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id] as const)))
  const pathOf = (id: number): Profile['nodes'] => {
    const path = []
    for (let at: number | undefined = id; at !== undefined; at = parents.get(at)) path.push(byId.get(at))
    return path.filter((node) => node !== undefined)
  }
  const owners = new Map(nodes.map(({ id }) => [id, ownerOf(pathOf(id))]))
  for (const [n, id] of samples.entries()) {
    const owner = owners.get(id)
    if (owner !== undefined) times.set(owner, (times.get(owner) ?? 0) + (timeDeltas[n] ?? 0))
  }
}

/** `path`: from the function that ran to the outermost that called it. Undefined while the process waited. */
function ownerOf(path: Profile['nodes']): string | undefined {
  const [own] = path
  const what = own?.callFrame.functionName ?? ''
  if (what === '(idle)') return undefined
  if (what === '(garbage collector)' || what === '(program)') return what
  const writes = what.startsWith('write') && own?.callFrame.url === '' ? 'writes to sockets, for ' : ''
  const ours = path.map(({ callFrame }) => OURS.exec(callFrame.url)?.[1]).find((folder) => folder !== undefined)
  const library = path.map(({ callFrame }) => LIBRARY.exec(callFrame.url)?.[1]).find((found) => found !== undefined)
  return `${writes}${ours ?? library ?? 'Node.js itself'}`
}
