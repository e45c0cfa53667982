import { spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { AppError } from '@youworker/contracts/errors'
import type { ParsedDocument } from './parsed-document.ts'
import type { WorkerAnswer } from './parse-worker.ts'

const DEADLINE_MS = 60_000
const MEMORY_BYTES = 1024 ** 3
const MEMORY_CHECK_MS = 250
const ROOT = join(import.meta.dirname, '../../../..')

/** The child may read its own code and nothing else: no network, no other process, no other file (Node's permission model). */
export const CONFINEMENT: readonly string[] = [
  '--permission',
  `--allow-fs-read=${import.meta.dirname}/*`,
  `--allow-fs-read=${ROOT}/node_modules/*`,
  `--allow-fs-read=${ROOT}/services/ingestion/node_modules/*`,
  `--allow-fs-read=${ROOT}/services/ingestion/package.json`,
  '--max-old-space-size=512',
  '--disable-warning=ExperimentalWarning',
]

interface FileToParse {
  readonly bytes: Uint8Array
  readonly mime: string
  readonly signal?: AbortSignal
  /** Resident size above which the child is killed. */
  readonly memoryBytes?: number
}

/**
 * Parses untrusted bytes in a process of its own, so that a hostile file costs only itself. Throws `VALIDATION_ERROR` with a reason
 * that a person can act on.
 */
export async function parseInChild({ bytes, mime, signal, memoryBytes = MEMORY_BYTES }: FileToParse): Promise<ParsedDocument> {
  const deadline = AbortSignal.timeout(DEADLINE_MS)
  const tooBig = new AbortController()
  const stop = AbortSignal.any([deadline, tooBig.signal, ...(signal ? [signal] : [])])
  const child = spawn(process.execPath, [...CONFINEMENT, join(import.meta.dirname, 'parse-worker.ts'), mime], {
    env: {},
    stdio: ['pipe', 'pipe', 'ignore'],
    signal: stop,
    killSignal: 'SIGKILL',
  })
  const closed = new Promise<void>((resolve) => child.once('error', () => resolve()).once('close', () => resolve()))
  const checkMemory = async () => {
    if ((await residentBytes(child.pid)) > memoryBytes) tooBig.abort()
  }
  const watch = setInterval(() => void checkMemory(), MEMORY_CHECK_MS)
  try {
    child.stdin.on('error', () => {})
    child.stdin.end(bytes)
    const output = await text(child.stdout).catch(() => '')
    await closed
    signal?.throwIfAborted()
    return readAnswer(output, stop)
  } finally {
    clearInterval(watch)
  }
}

function readAnswer(output: string, stop: AbortSignal): ParsedDocument {
  if (stop.aborted)
    throw new AppError('VALIDATION_ERROR', 'the file takes too much time or memory to read; split it and send the parts')
  const answer = parseJson(output)
  if (answer === undefined) throw new AppError('VALIDATION_ERROR', 'the file is damaged and cannot be read; export it again')
  if ('error' in answer) throw new AppError('VALIDATION_ERROR', answer.error)
  return answer.document
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

/** 0 where the system does not report it (proc(5), statm: pages). */
async function residentBytes(pid: number | undefined): Promise<number> {
  const statm = await readFile(`/proc/${pid}/statm`, 'utf8').catch(() => '')
  return Number(statm.split(' ')[1] ?? 0) * 4_096
}
