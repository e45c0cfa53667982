import { AppError, ERROR_STATUS } from '@youworker/contracts/errors'
import type { Logger } from '@youworker/runtime/logger'
import { metrics } from '@youworker/runtime/health/metrics'
import { backoffMs } from '@youworker/runtime/timing/retry'
import { detached, inRequest } from '@youworker/runtime/current-request'
import { cleanText } from '@youworker/runtime/text/text'
import { errorName, startSpan } from '@youworker/runtime/tracing/span'
import {
  CancelRequested,
  type JobEnded,
  type JobRepository,
  type JobRow,
  LeaseLost,
  originOf,
  RetryJob,
  Stopping,
} from './jobs.ts'
import { sampleJobs } from './job-metrics.ts'
import { claim, release } from './leases.ts'
import { createLoop, type Loop } from '@youworker/runtime/timing/loop'
import type { SystemDatabase } from '../connection/open.ts'

interface JobContext<P> {
  /** The fencing token: pass it to every write. */
  readonly attempt: number
  /** Aborts with {@link CancelRequested}, {@link LeaseLost} or {@link Stopping} as its reason. */
  readonly signal: AbortSignal
  /** Of a job that was started with {@link Slot.start}. */
  readonly prepared?: P
}

/** Capacity for a job that this process adds as its own, so that nobody has to claim it. Disposing it gives back what was not used. */
export interface Slot<P> extends Disposable {
  /** Of the lease under which the job is added. */
  readonly owner: string
  /** Runs the job once it is committed. `prepared`: what `run` would else have to read first. */
  start(job: JobRow, prepared: P | undefined): void
}

interface WorkerOptions<P> {
  readonly database: SystemDatabase
  readonly uow: { system(): { write<T>(work: (repositories: { readonly jobs: JobRepository }) => Promise<T>): Promise<T> } }
  readonly kind: string
  /** Most jobs that run at the same time in this process. */
  readonly concurrency: number
  /** Of one user that run at the same time, in all processes together. */
  readonly each?: number
  /** Whether there is memory for one more job. */
  readonly hasRoom?: (() => boolean) | undefined
  readonly logger: Logger
  /** Subscribes to wake-ups from other processes. */
  readonly onWake?: ((fn: () => void) => Disposable) | undefined
  /** Wakes the workers of other processes when this one has handed a job back. */
  readonly wakeOthers?: (() => void) | undefined
  /**
   * Does the work and ends the job itself with `jobs.finish` in its last transaction, whose result it returns. When it throws, the job is retried after
   * a pause; after the last attempt or a 4xx error `giveUp` is called instead. A {@link RetryJob} is always retried.
   */
  readonly run: (job: JobRow, context: JobContext<P>) => Promise<JobEnded>
  /** Writes the final state `failed` with `jobs.finish`; `reason` is shown to users. */
  readonly giveUp: (job: JobRow, reason: string) => Promise<JobEnded>
}

export interface Worker<P = never> extends AsyncDisposable {
  /** `undefined` when this process has no capacity, or when jobs may be waiting, which come first. */
  reserve(): Slot<P> | undefined
  /** Takes no more jobs and resolves when the running ones have ended. */
  drain(): Promise<void>
  /** Checks now for waiting jobs and for cancelled running ones. */
  nudge(): void
}

const POLL_MS = 1_000
const RETRY = { baseMs: 2_000, maxMs: 60_000 }
/** Pause of a job for which the disk has no room. */
const NO_ROOM_MS = 5_000
const SAMPLE_MS = 10_000
/** Jobs that a process runs however little memory it has. */
const ALWAYS = 4
/** The memory is looked at again after so many. */
const CLAIMED_AT_ONCE = 50

/** Runs the jobs of one kind. Disposing it hands running jobs back, for other processes to go on at once, and waits until they have stopped. */
export function startWorker<P = never>(options: WorkerOptions<P>): Worker<P> {
  return new JobWorker(options)
}

class JobWorker<P> implements Worker<P> {
  readonly #options: WorkerOptions<P>
  /** Reserved slots among them. */
  readonly #running = new Map<Promise<void>, AbortController>()
  #mayOthersWait = true
  #isDraining = false
  #isStopping = false
  #wake: Disposable | undefined
  readonly #loop: Loop
  readonly #sampling: NodeJS.Timeout

  constructor(options: WorkerOptions<P>) {
    this.#options = options
    const { database, kind } = options
    this.#loop = createLoop(() => this.#poll())
    this.#wake = options.onWake?.(() => this.nudge())
    this.#sampling = setInterval(() => void sampleJobs(database.system, kind).catch(() => {}), SAMPLE_MS).unref()
    metrics.workersAlive.labels(kind).inc()
  }

  nudge(): void {
    this.#loop.nudge()
    this.#options.database.leases.nudge()
  }

  reserve(): Slot<P> | undefined {
    if (this.#isDraining || this.#mayOthersWait || this.#free() === 0) return undefined
    const claimedAt = performance.now()
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#running.set(promise, new AbortController())
    return {
      owner: this.#options.database.leases.owner,
      // The job outlives the request that added it, and its deadline.
      start: (job, prepared) => detached(() => this.#start(job, claimedAt, prepared)),
      [Symbol.dispose]: () => {
        this.#running.delete(promise)
        resolve()
      },
    }
  }

  async drain(): Promise<void> {
    await this.#stopClaiming()
    await this.#ended()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#sampling)
    this.#isStopping = true
    await this.#stopClaiming()
    for (const abort of this.#running.values()) abort.abort(stopping())
    await this.#ended()
    metrics.workersAlive.labels(this.#options.kind).dec()
  }

  async #ended(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running.keys())
  }

  async #stopClaiming(): Promise<void> {
    this.#isDraining = true
    this.#wake?.[Symbol.dispose]()
    this.#wake = undefined
    await this.#loop.stop()
  }

  async #poll(): Promise<number> {
    const pause = POLL_MS + Math.random() * POLL_MS
    const { database, kind, each, logger } = this.#options
    const free = this.#free()
    this.#mayOthersWait ||= free === 0
    if (free === 0) return pause
    try {
      const claimedAt = performance.now()
      const jobs = await claim(database.system, kind, database.leases.owner, { limit: free, each })
      this.#mayOthersWait = jobs.length === free
      for (const job of jobs) this.#start(job, claimedAt)
      return jobs.length === 0 || this.#free() === 0 ? pause : 0
    } catch (error) {
      logger.debug({ err: error }, `no ${kind} jobs could be claimed`)
      return pause
    }
  }

  /** How many jobs more this process takes now. */
  #free(): number {
    const { concurrency, hasRoom = () => true } = this.#options
    const free = Math.max(0, concurrency - this.#running.size)
    // What runs may need long to end, so memory must not stop all.
    return this.#running.size < ALWAYS || hasRoom() ? Math.min(free, CLAIMED_AT_ONCE) : 0
  }

  #start(job: JobRow, claimedAt: number, prepared?: P): void {
    const { database, kind } = this.#options
    const lease = database.leases.hold(job.id, job.attempt, claimedAt)
    if (this.#isStopping) lease.abort.abort(stopping())
    // The last owner died after the job was cancelled: this attempt only writes the final state.
    if (job.cancel_requested_at !== null) lease.abort.abort(new CancelRequested(`job ${job.id} was cancelled`))
    metrics.jobsTaken.labels(kind).inc()
    metrics.jobsRunning.labels(kind).inc()
    const context = { attempt: job.attempt, signal: lease.abort.signal, ...(prepared === undefined ? {} : { prepared }) }
    const done = this.#workInSpan(job, context).finally(() => {
      lease[Symbol.dispose]()
      metrics.jobsRunning.labels(kind).dec()
      this.#running.delete(done)
      // There is capacity again, and the next job of the same queue may run.
      this.#loop.nudge()
    })
    this.#running.set(done, lease.abort)
  }

  /** As part of the request that added the job, in a span and with a log line of its own. */
  #workInSpan(job: JobRow, context: JobContext<P>): Promise<void> {
    const { logger, kind } = this.#options
    const { id, attempt, user_id } = job
    const { correlationId, traceparent: parent } = originOf(job)
    const started = performance.now()
    const attributes = { 'youworker.job.id': id, 'youworker.job.attempt': attempt, 'youworker.correlation_id': correlationId }
    const span = startSpan({ kind: 'consumer', name: `job ${kind}`, parent, attributes })
    return inRequest({ correlationId, traceparent: span.traceparent }, async () => {
      const { signal } = context
      await this.#work(job, context)
      span.end(signal.aborted ? { error: errorName(signal.reason) } : {})
      logger.info({ job: id, kind, attempt, user_id, ms: Math.round(performance.now() - started) }, 'job')
    })
  }

  async #work(job: JobRow, context: JobContext<P>): Promise<void> {
    const { logger, kind } = this.#options
    try {
      if (job.attempt > job.max_attempts && !context.signal.aborted) await this.#giveUp(job, 'it was interrupted too often')
      else await this.#run(job, context)
    } catch (error) {
      // The lease will run out and another attempt follow.
      logger.warn({ err: error, job: job.id, kind, attempt: job.attempt }, 'the final state of a job could not be written')
    }
  }

  async #run(job: JobRow, context: JobContext<P>): Promise<void> {
    try {
      await this.#options.run(job, context)
    } catch (error) {
      await this.#afterFailure(job, context.signal, error)
    }
  }

  async #afterFailure(job: JobRow, signal: AbortSignal, error: unknown): Promise<void> {
    const { database, uow, logger, kind } = this.#options
    const reason: unknown = signal.reason
    if (error instanceof LeaseLost || reason instanceof LeaseLost) return
    if (reason instanceof Stopping) {
      await release(database.system, job, { delayMs: 0, error: null, extraAttempt: true })
      return this.#options.wakeOthers?.()
    }
    if (error instanceof CancelRequested || reason instanceof CancelRequested) {
      await uow.system().write(({ jobs }) => jobs.finish(job.id, job.attempt, { status: 'cancelled' }))
      return
    }
    // Who asks to try again has logged why.
    if (!(error instanceof RetryJob)) logger.warn({ err: error, job: job.id, kind, attempt: job.attempt }, 'a job failed')
    const message = reasonOf(error)
    // Every job would fail until there is room: it waits, and the try does not count.
    const isNoRoom = error instanceof AppError && error.code === 'INSUFFICIENT_STORAGE'
    const extraAttempt = isNoRoom || error instanceof RetryJob
    if (!extraAttempt && (job.attempt >= job.max_attempts || isFinal(error))) return this.#giveUp(job, message)
    const backoff = () => backoffMs(error instanceof RetryJob ? error.tries : job.attempt, RETRY)
    const delayMs = isNoRoom ? NO_ROOM_MS : backoff()
    await release(database.system, job, { delayMs, error: cleanText(message, { max: 1_000 }), extraAttempt })
  }

  async #giveUp(job: JobRow, reason: string): Promise<void> {
    metrics.jobsFailed.labels(this.#options.kind).inc()
    await this.#options.giveUp(job, reason)
  }
}

const stopping = () => new Stopping('the process is stopping')

/** For users: the message of any other error may tell of addresses, rows or paths, and is in the log. */
const reasonOf = (error: unknown): string =>
  error instanceof AppError || error instanceof RetryJob
    ? error.message
    : 'something went wrong inside; whoever runs this system finds it in the log'

/** An error that a retry cannot fix: any 4xx except a rate limit. */
const isFinal = (error: unknown): boolean =>
  error instanceof AppError && ERROR_STATUS[error.code] < 500 && error.code !== 'RATE_LIMIT_EXCEEDED'
