import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { setPriority } from 'node:os'
import { join } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import { AppError } from '@youworker/contracts/errors'
import type { FileMime } from '@youworker/contracts/file-types'
import type { ChunkSize } from '../chunking/chunk-document.ts'
import { asChild } from './child-command.ts'
import { CONFINEMENT } from './confinement.ts'
import { usageOf } from './process-usage.ts'
import type { AnswerLine } from './read-file.ts'
import type { FileHeader } from './read-worker.ts'

/** Of the child's own computing time: on a busy machine a good file takes long, and is not to blame. */
const CPU_MS = 8_000
const CPU_MS_PER_MB = 2_500
/** For a child that does not compute, and where the system does not report computing time. */
const WALL_MS = 120_000
const MEMORY_BYTES = 480 * 1024 ** 2
/** A long file may take more, up to a bound. */
const MEMORY_PER_BYTE = 6
const MOST_MEMORY_BYTES = 1024 ** 3
const CHECK_MS = 50
/** So much computing at one file is long: from then on what people wait for, such as a search, is computed first (nice(2)). */
const LONG = { cpuMs: 2_000, nice: 10 } as const
/** Pages of scans, after each of which the time begins anew. */
const MOST_STEPS = 2_000
/** One chunk is far shorter. Bounds what a child can make this process keep. */
const LINE_BYTES = 4 * 1024 ** 2
export interface ReaderLimits {
  /** Resident size above which the child is killed. */
  readonly memoryBytes: number
  /** Computing time above which the child is killed, for a file of no size. */
  readonly cpuMs: number
  /** The longest answer that any file may give. */
  readonly answerBytes: number
  /** Of a longer answer, for each byte of its file: compressed formats unpack to more. */
  readonly answerTimes: number
}

const LIMITS: ReaderLimits = { memoryBytes: MEMORY_BYTES, cpuMs: CPU_MS, answerBytes: 64 * 1024 ** 2, answerTimes: 40 }

export interface FileToRead {
  readonly mime: FileMime
  readonly size: number
  readonly bytes: AsyncIterable<Uint8Array>
  readonly chunks: ChunkSize
  readonly signal: AbortSignal
}

export interface PageToDraw extends Omit<FileToRead, 'chunks'> {
  /** From 1. */
  readonly page: number
}

/** A page as PNG in base64; missing behind the last one. */
export type DrawnPage = Extract<AnswerLine, { readonly pages: number }>

export type ReadPiece = Extract<AnswerLine, { readonly title: unknown } | { readonly chunk: unknown }>

/** The child was killed by a limit or ended without an answer. It may not have been the file's fault, so it is worth one more try. */
export class ParserDied extends Error {
  override readonly name = 'ParserDied'
}

type End = 'killed' | 'exited' | 'not started'

/** A confined child that reads one file after another. After an error of `read` other than the file's own it is dead. */
export class ReaderProcess implements Disposable {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>
  readonly #closed: Promise<End>
  readonly #lines: AsyncIterator<string>
  #limit: string | undefined
  #isDead = false
  #hasYielded = false
  #steps = 0
  /** How many files it has read. */
  files = 0
  readonly #limits: ReaderLimits

  readonly #languages: readonly string[]

  /** `languages`: of texts in pictures. */
  constructor(limits: Partial<ReaderLimits> = {}, languages: readonly string[] = ['eng']) {
    this.#languages = languages
    this.#limits = { ...LIMITS, ...limits }
    const { program, args } = asChild([process.execPath, ...CONFINEMENT, join(import.meta.dirname, 'read-worker.ts')])
    this.#child = spawn(program, args, {
      env: {},
      stdio: ['pipe', 'pipe', 'ignore'],
    })
    const child = this.#child
    this.#closed = new Promise<End>((resolve) =>
      child
        .once('error', () => resolve(child.pid === undefined ? 'not started' : 'killed'))
        .once('close', (_code, killedBy) => resolve(killedBy === null ? 'exited' : 'killed')),
    )
    void this.#closed.then(() => (this.#isDead = true))
    child.stdin.on('error', () => {})
    child.stdout.on('error', () => {})
    this.#lines = linesOf(child.stdout)
    // When the machine or the container runs out of memory, the kernel ends this child and not the service (proc(5)).
    if (child.pid === undefined) return
    void writeFile(`/proc/${child.pid}/oom_score_adj`, '1000').catch(() => {})
  }

  get isDead(): boolean {
    return this.#isDead
  }

  get pid(): number | undefined {
    return this.#child.pid
  }

  [Symbol.dispose](): void {
    this.#isDead = true
    this.#child.kill('SIGKILL')
  }

  /**
   * Throws `VALIDATION_ERROR` with a reason that a person can act on, `ParserDied`, or `SERVICE_UNAVAILABLE` when no process could be started.
   */
  async *read(file: FileToRead): AsyncGenerator<ReadPiece> {
    for await (const answer of this.#ask(file)) if (!('pages' in answer)) yield answer
  }

  /** Throws as `read` does. */
  async draw(file: PageToDraw): Promise<DrawnPage> {
    let drawn: DrawnPage | undefined
    for await (const answer of this.#ask({ ...file, chunks: { tokens: 0, overlap: 0 } })) if ('pages' in answer) drawn = answer
    if (!drawn) throw new ParserDied('the program that reads files failed at it')
    return drawn
  }

  async *#ask(file: FileToRead & Partial<PageToDraw>): AsyncGenerator<ReadPiece | DrawnPage> {
    this.files += 1
    const { signal } = file
    const stop = () => this[Symbol.dispose]()
    signal.addEventListener('abort', stop, { once: true })
    const unwatch = await this.#watch(file.size)
    let isWhole = false
    try {
      signal.throwIfAborted()
      await this.#send(file)
      for await (const answer of this.#answers(file)) {
        if ('end' in answer) return void (isWhole = true)
        if ('fault' in answer) throw noChild(answer.fault)
        if ('error' in answer) {
          isWhole = true
          throw new AppError('VALIDATION_ERROR', answer.error)
        }
        yield answer
      }
    } finally {
      unwatch()
      signal.removeEventListener('abort', stop)
      if (!isWhole) stop()
    }
  }

  async #send({ mime, size, bytes, chunks, page }: FileToRead & Partial<PageToDraw>): Promise<void> {
    const how = { mime, size, chunks, languages: this.#languages }
    const header: FileHeader = page === undefined ? how : { ...how, page }
    await this.#write(Buffer.from(`${JSON.stringify(header)}\n`))
    for await (const part of bytes) {
      if (this.#isDead) return
      await this.#write(part)
    }
  }

  /** Resolves also when the child is gone: the missing answer tells. */
  #write(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve) => this.#child.stdin.write(bytes, () => resolve()))
  }

  async *#answers({ size, signal }: FileToRead): AsyncGenerator<Exclude<AnswerLine, { readonly step: true }>> {
    const most = Math.max(this.#limits.answerBytes, size * this.#limits.answerTimes)
    for (let length = 0; ;) {
      const { value, done } = await this.#lines.next()
      if (done === true) throw await this.#died(signal)
      length += value.length
      if (length > most)
        throw new AppError('VALIDATION_ERROR', 'the file unpacks to far more text than its size; split it or export it anew')
      const answer = parseLine(value)
      if ('step' in answer) this.#steps += 1
      else yield answer
    }
  }

  async #died(signal: AbortSignal): Promise<unknown> {
    // A line without end is refused while the child still runs.
    this.#child.kill('SIGKILL')
    const end = await this.#closed
    if (signal.aborted) return signal.reason
    if (end === 'not started') return noChild()
    // By the memory guard, by the kernel, or by V8, which aborts the process when its heap is full.
    if (this.#limit !== undefined || end === 'killed') return new ParserDied(this.#limit ?? 'reading it took too much memory')
    return new ParserDied('the program that reads files failed at it')
  }

  async #watch(size: number): Promise<() => void> {
    const maxCpuMs = this.#limits.cpuMs + (CPU_MS_PER_MB * size) / 1024 ** 2
    const memoryBytes = this.#limits.memoryBytes + Math.min(MEMORY_PER_BYTE * size, MOST_MEMORY_BYTES - MEMORY_BYTES)
    this.#steps = 0
    let since = { step: 0, at: performance.now(), cpuMs: this.files > 1 ? (await usageOf(this.pid)).cpuMs : 0 }
    const check = async () => {
      const { residentBytes, cpuMs } = await usageOf(this.pid)
      if (since.step < this.#steps && this.#steps <= MOST_STEPS) since = { step: this.#steps, at: performance.now(), cpuMs }
      if (cpuMs - since.cpuMs > LONG.cpuMs) this.#yield()
      if (residentBytes > memoryBytes) this.#end('reading it took too much memory')
      const isSlow = cpuMs - since.cpuMs > maxCpuMs || performance.now() - since.at > WALL_MS + maxCpuMs
      if (isSlow) this.#end(`reading it took longer than ${Math.round(maxCpuMs / 100) / 10} s`)
    }
    const timer = setInterval(() => void check(), CHECK_MS)
    return () => clearInterval(timer)
  }

  #yield(): void {
    if (this.#hasYielded || this.pid === undefined) return
    this.#hasYielded = true
    try {
      setPriority(this.pid, LONG.nice)
    } catch {
      // It has ended already.
    }
  }

  #end(why: string): void {
    this.#limit ??= why
    this[Symbol.dispose]()
  }
}

async function* linesOf(stream: Readable): AsyncGenerator<string> {
  let rest = Buffer.alloc(0)
  try {
    for await (const part of stream as AsyncIterable<Buffer>) {
      let from = 0
      for (let end = part.indexOf(10); end >= 0; end = part.indexOf(10, from)) {
        yield Buffer.concat([rest, part.subarray(from, end)]).toString()
        rest = Buffer.alloc(0)
        from = end + 1
      }
      rest = Buffer.concat([rest, part.subarray(from)])
      if (rest.length > LINE_BYTES) return
    }
  } catch {
    // The child is gone: its reader sees the end.
  }
}

const noChild = (cause?: unknown) =>
  new AppError('SERVICE_UNAVAILABLE', 'no process could be started to read the file', { retryAfter: 5, cause })

function parseLine(line: string): AnswerLine {
  try {
    // Written by our own worker.
    return JSON.parse(line) as AnswerLine
  } catch {
    throw new ParserDied('the program that reads files failed at it')
  }
}
