import { execFile, fork } from 'node:child_process'
import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { rounds, sliceMs } from '../measuring/effort.ts'
import { median } from '../measuring/load.ts'
import { cpuOf, perSecond, spread } from '../measuring/measure.ts'
import { endWith, firstMessage, temporaryDir } from '../system.ts'
import { wordsOf } from './ask.ts'
import { slice, textOf } from './slice.ts'
import { type Side, startSides } from './sides.ts'

const CLIENTS = 64
const ROUNDS = rounds(3)
const SLICE_MS = sliceMs(8_000)
const INSTALL = ['install', '--no-audit', '--no-fund', '--loglevel=error']

/**
 * The answers of `answers` from another agent server beside ours, which npm installs for it. The other one stores nothing and knows no
 * users. The ratio is answers a second, ours / other.
 */
export async function rivals(stack: AsyncDisposableStack): Promise<number> {
  const { system, endpoints, users } = await startSides(stack, { clients: CLIENTS, rules: [{ reply: { text: wordsOf(20) } }] })
  const model = endpoints.processes.find(({ name }) => name === 'offline-model')
  const mastra = await startRival(stack, 'mastra', { OLLAMA_URL: model?.url ?? '', MODEL: 'youworker-offline' }, users.length)
  for (const side of [system, mastra]) await slice(side, 2 * SLICE_MS)
  const ratios: number[] = []
  const cpu: number[] = []
  for (let round = 1; round <= ROUNDS; round += 1) {
    const [ours, other] = [await slice(system, SLICE_MS), await slice(mastra, SLICE_MS)]
    ratios.push(perSecond(ours) / perSecond(other))
    cpu.push(cpuOf(ours) / cpuOf(other))
    console.log(`round ${round}: system ${textOf(ours)}; mastra ${textOf(other)}`)
  }
  console.log(`ours / mastra: answers a second ${spread(ratios)}, CPU for one ${spread(cpu)}`)
  return median(ratios)
}

async function startRival(
  stack: AsyncDisposableStack,
  name: string,
  env: Readonly<Record<string, string>>,
  clients: number,
): Promise<Side> {
  const dir = await temporaryDir(stack)
  await cp(join(import.meta.dirname, '../../rivals', name), dir, { recursive: true })
  console.log(`installing ${name} …`)
  await promisify(execFile)('npm', INSTALL, { cwd: dir })
  const child = fork(join(dir, 'server.mjs'), { cwd: dir, env: { ...process.env, ...env } })
  endWith(stack, child)
  const url = `http://127.0.0.1:${Number(await firstMessage(child))}`
  const none = Array.from({ length: clients }, () => ({}))
  return { name, url, clients: none, processes: [{ name, pid: child.pid ?? 0 }] }
}
