import { spawn } from 'node:child_process'
import { readFile, realpath, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { AppError } from '@youworker/contracts/errors'
import type { FileMime } from '@youworker/contracts/file-types'
import type { ParsedDocument } from './parsed-document.ts'
import type { WorkerAnswer } from './parse-worker.ts'

/** Of the child's own computing time: on a busy machine a good file takes long, and is not to blame. */
const CPU_MS = 60_000
/** For a child that does not compute, and where the system does not report computing time. */
const WALL_MS = 240_000
const MEMORY_BYTES = 1024 ** 3
const CHECK_MS = 250
/** Enough for the longest text that a document may hold; bounds what a child can make this process keep. */
const ANSWER_BYTES = 192 * 1024 ** 2
const ROOT = join(import.meta.dirname, '../../../..')

/** The child may read its own code and nothing else: no network, no other process, no other file (Node's permission model). */
export const CONFINEMENT: readonly string[] = [
  '--permission',
  `--allow-fs-read=${import.meta.dirname}/*`,
  `--allow-fs-read=${ROOT}/node_modules/*`,
  // It may be a link to where the packages are.
  `--allow-fs-read=${await realpath(join(ROOT, 'node_modules'))}/*`,
  `--allow-fs-read=${ROOT}/services/ingestion/node_modules/*`,
  `--allow-fs-read=${ROOT}/services/ingestion/package.json`,
  `--allow-fs-read=${ROOT}/packages/contracts/package.json`,
  `--allow-fs-read=${ROOT}/packages/contracts/src/file-types.ts`,
  `--allow-fs-read=${ROOT}/packages/runtime/package.json`,
  `--allow-fs-read=${ROOT}/packages/runtime/src/text/*`,
  '--max-old-space-size=512',
  '--disable-warning=ExperimentalWarning',
]

/** The child was killed by a limit or ended without an answer. It may not have been the file's fault, so it is worth one more try. */
export class ParserDied extends Error {
  override readonly name = 'ParserDied'
}

interface FileToParse {
  readonly bytes: Uint8Array
  readonly mime: FileMime
  readonly signal?: AbortSignal
  /** Resident size above which the child is killed. */
  readonly memoryBytes?: number
  /** Computing time above which the child is killed. */
  readonly maxCpuMs?: number
  /** Length of an answer above which the child is killed. */
  readonly answerBytes?: number
}

/**
 * Parses untrusted bytes in a process of its own, so that a hostile file costs only itself. Throws `VALIDATION_ERROR` with a reason
 * that a person can act on, `ParserDied`, or `SERVICE_UNAVAILABLE` when no process could be started.
 */
export async function parseInChild(file: FileToParse): Promise<ParsedDocument> {
  const { bytes, mime, signal, memoryBytes = MEMORY_BYTES, maxCpuMs = CPU_MS, answerBytes = ANSWER_BYTES } = file
  const deadline = AbortSignal.timeout(WALL_MS)
  const tooSlow = new AbortController()
  const tooBig = new AbortController()
  const tooLong = new AbortController()
  const stop = AbortSignal.any([deadline, tooSlow.signal, tooBig.signal, tooLong.signal, ...(signal ? [signal] : [])])
  const child = spawn(process.execPath, [...CONFINEMENT, join(import.meta.dirname, 'parse-worker.ts'), mime], {
    env: {},
    stdio: ['pipe', 'pipe', 'ignore'],
    signal: stop,
    killSignal: 'SIGKILL',
  })
  const closed = new Promise<'killed' | 'exited' | 'not started'>((resolve) =>
    child
      .once('error', () => resolve(child.pid === undefined ? 'not started' : 'killed'))
      .once('close', (_code, killedBy) => resolve(killedBy === null ? 'exited' : 'killed')),
  )
  // When the machine or the container runs out of memory, the kernel ends this child and not the service (proc(5)).
  if (child.pid !== undefined) void writeFile(`/proc/${child.pid}/oom_score_adj`, '1000').catch(() => {})
  const check = async () => {
    const { residentBytes, cpuMs } = await usageOf(child.pid)
    if (residentBytes > memoryBytes) tooBig.abort()
    if (cpuMs > maxCpuMs) tooSlow.abort()
  }
  const watch = setInterval(() => void check(), CHECK_MS)
  try {
    child.stdin.on('error', () => {})
    child.stdin.end(bytes)
    const output = await readAll(child.stdout, answerBytes, tooLong).catch(() => '')
    const end = await closed
    signal?.throwIfAborted()
    if (end === 'not started') throw noChild()
    if (tooLong.signal.aborted) throw new AppError('VALIDATION_ERROR', 'the file holds more text than one document may; split it')
    if (deadline.aborted || tooSlow.signal.aborted) throw new ParserDied(`reading it took longer than ${maxCpuMs / 1_000} s`)
    // By the memory guard, by the kernel, or by V8, which aborts the process when its heap is full.
    if (tooBig.signal.aborted || end === 'killed') throw new ParserDied('reading it took too much memory')
    return readAnswer(output)
  } finally {
    clearInterval(watch)
  }
}

async function readAll(stream: Readable, maxBytes: number, tooLong: AbortController): Promise<string> {
  const parts: Buffer[] = []
  let size = 0
  for await (const part of stream as AsyncIterable<Buffer>) {
    size += part.length
    if (size > maxBytes) {
      tooLong.abort()
      return ''
    }
    parts.push(part)
  }
  return Buffer.concat(parts).toString()
}

const noChild = (cause?: unknown) =>
  new AppError('SERVICE_UNAVAILABLE', 'no process could be started to read the file', { retryAfter: 5, cause })

function readAnswer(output: string): ParsedDocument {
  const answer = parseJson(output)
  if (answer === undefined) throw new ParserDied('the program that reads files failed at it')
  if ('fault' in answer) throw noChild(answer.fault)
  if ('error' in answer) throw new AppError('VALIDATION_ERROR', answer.error)
  const { text, blocks, ...document } = answer.document
  return { ...document, text, blocks: blocks.map((block) => ({ ...block, text: text.slice(block.start, block.end) })) }
}

/** `undefined` when the child died before it had answered. */
function parseJson(output: string): WorkerAnswer | undefined {
  try {
    // Written by our own worker.
    return JSON.parse(output) as WorkerAnswer
  } catch {
    return undefined
  }
}

/** Zeros where the system does not report it. proc(5): statm counts pages; utime and stime, fields 14 and 15 of stat, hundredths of a second. */
async function usageOf(pid: number | undefined): Promise<{ residentBytes: number; cpuMs: number }> {
  const [statm, stat] = await Promise.all(
    ['statm', 'stat'].map((name) => readFile(`/proc/${pid}/${name}`, 'utf8').catch(() => '')),
  )
  // The name of the command, field 2, is in brackets and may hold blanks.
  const [, , , , , , , , , , , utime, stime] = stat?.slice(stat.lastIndexOf(')') + 1).split(' ') ?? []
  return { residentBytes: Number(statm?.split(' ')[1] ?? 0) * 4_096, cpuMs: (Number(utime ?? 0) + Number(stime ?? 0)) * 10 }
}
