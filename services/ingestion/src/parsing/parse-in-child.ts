import { spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { AppError } from '@youworker/contracts/errors'
import type { FileMime } from '@youworker/contracts/file-types'
import type { ParsedDocument } from './parsed-document.ts'
import type { WorkerAnswer } from './parse-worker.ts'

const DEADLINE_MS = 60_000
const MEMORY_BYTES = 1024 ** 3
const MEMORY_CHECK_MS = 250
/** Enough for the longest text that a document may hold; bounds what a child can make this process keep. */
const ANSWER_BYTES = 192 * 1024 ** 2
const ROOT = join(import.meta.dirname, '../../../..')

/** The child may read its own code and nothing else: no network, no other process, no other file (Node's permission model). */
export const CONFINEMENT: readonly string[] = [
  '--permission',
  `--allow-fs-read=${import.meta.dirname}/*`,
  `--allow-fs-read=${ROOT}/node_modules/*`,
  `--allow-fs-read=${ROOT}/services/ingestion/node_modules/*`,
  `--allow-fs-read=${ROOT}/services/ingestion/package.json`,
  `--allow-fs-read=${ROOT}/packages/runtime/package.json`,
  `--allow-fs-read=${ROOT}/packages/runtime/src/text/*`,
  '--max-old-space-size=512',
  '--disable-warning=ExperimentalWarning',
]

interface FileToParse {
  readonly bytes: Uint8Array
  readonly mime: FileMime
  readonly signal?: AbortSignal
  /** Resident size above which the child is killed. */
  readonly memoryBytes?: number
  /** Length of an answer above which the child is killed. */
  readonly answerBytes?: number
}

/**
 * Parses untrusted bytes in a process of its own, so that a hostile file costs only itself. Throws `VALIDATION_ERROR` with a reason
 * that a person can act on.
 */
export async function parseInChild(file: FileToParse): Promise<ParsedDocument> {
  const { bytes, mime, signal, memoryBytes = MEMORY_BYTES, answerBytes = ANSWER_BYTES } = file
  const deadline = AbortSignal.timeout(DEADLINE_MS)
  const tooBig = new AbortController()
  const stop = AbortSignal.any([deadline, tooBig.signal, ...(signal ? [signal] : [])])
  const child = spawn(process.execPath, [...CONFINEMENT, join(import.meta.dirname, 'parse-worker.ts'), mime], {
    env: {},
    stdio: ['pipe', 'pipe', 'ignore'],
    signal: stop,
    killSignal: 'SIGKILL',
  })
  const closed = new Promise<boolean>((resolve) =>
    child.once('error', () => resolve(false)).once('close', (_code, killedBy) => resolve(killedBy !== null)),
  )
  const checkMemory = async () => {
    if ((await residentBytes(child.pid)) > memoryBytes) tooBig.abort()
  }
  const watch = setInterval(() => void checkMemory(), MEMORY_CHECK_MS)
  try {
    child.stdin.on('error', () => {})
    child.stdin.end(bytes)
    const output = await readAll(child.stdout, answerBytes, tooBig).catch(() => '')
    // By the deadline, by the memory guard, or by V8, which aborts the process when its heap is full.
    const isKilled = await closed
    signal?.throwIfAborted()
    return readAnswer(output, isKilled || stop.aborted)
  } finally {
    clearInterval(watch)
  }
}

async function readAll(stream: Readable, maxBytes: number, tooBig: AbortController): Promise<string> {
  const parts: Buffer[] = []
  let size = 0
  for await (const part of stream as AsyncIterable<Buffer>) {
    size += part.length
    if (size > maxBytes) {
      tooBig.abort()
      return ''
    }
    parts.push(part)
  }
  return Buffer.concat(parts).toString()
}

function readAnswer(output: string, isKilled: boolean): ParsedDocument {
  if (isKilled)
    throw new AppError('VALIDATION_ERROR', 'the file takes too much time or memory to read; split it and send the parts')
  const answer = parseJson(output)
  if (answer === undefined) throw new AppError('VALIDATION_ERROR', 'the file is damaged and cannot be read; export it again')
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

/** 0 where the system does not report it (proc(5), statm: pages). */
async function residentBytes(pid: number | undefined): Promise<number> {
  const statm = await readFile(`/proc/${pid}/statm`, 'utf8').catch(() => '')
  return Number(statm.split(' ')[1] ?? 0) * 4_096
}
