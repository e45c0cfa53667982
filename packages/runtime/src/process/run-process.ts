import type { z } from 'zod'
import { ConfigError, type processEnv, readEnv } from './config.ts'
import { armFaults } from './fault-point.ts'
import { withPublishedNames } from './published-names.ts'
import { startHealthServer } from '../health/health-server.ts'
import { createLogger, type Logger } from '../logger.ts'
import type { Service, ServiceContext } from './service.ts'
import { settledWithin } from '../timing/settled-within.ts'
import { startTracing } from '../tracing/start-tracing.ts'
import { readToProcess } from './supervisor-channel.ts'

interface ProcessOptions<S extends z.ZodObject<typeof processEnv>> {
  readonly name: string
  readonly env: NodeJS.ProcessEnv
  readonly schema: S
  readonly start: (config: Readonly<z.output<S>>, context: ServiceContext) => Promise<Service>
}

/** Exit codes: 0 stopped on request, 1 failed to start or crashed, 2 invalid settings. */
const EXIT = { ok: 0, failed: 1, settings: 2 } as const

/** The end that a process was asked for. */
interface End {
  /** Time for work that runs to end by itself, in ms. */
  readonly drainMs: number
  /** Time for all of it, draining included, in ms. */
  readonly limitMs: number
  readonly broken: boolean
}

/**
 * Runs a service's process: reads settings, opens the health port, starts the service and runs until it is asked to end. SIGTERM
 * gives running work half of SHUTDOWN__GRACE_MS to end by itself, a supervisor that has started a replacement as long as it says;
 * SIGINT and the end of the supervisor (the IPC channel closes) give none. Sets the exit code and resolves after the stop.
 */
export async function runProcess<S extends z.ZodObject<typeof processEnv>>(options: ProcessOptions<S>): Promise<void> {
  const { name, schema } = options
  const { env, notices } = withPublishedNames(options.env, (setting) => setting in schema.shape)
  let config: Readonly<z.output<S>>
  try {
    config = readEnv(schema, env)
    armFaults(env['FAULT'], config.APP_ENV)
  } catch (error) {
    const why = [...notices, `${name} cannot start. ${error instanceof Error ? error.message : String(error)}`]
    process.stderr.write(`${why.join('\n')}\n`)
    process.exitCode = error instanceof ConfigError ? EXIT.settings : EXIT.failed
    if (process.connected) process.disconnect?.()
    return
  }
  const format = config.APP_ENV === 'development' ? 'text' : 'json'
  const logger = createLogger({ name, level: config.LOG_LEVEL, format })
  for (const notice of notices) logger.warn(notice)
  const code = await run(options, config, logger)
  setTimeout(() => process.exit(code), 500).unref()
  process.exitCode = code
  if (process.connected) process.disconnect?.()
}

async function run<S extends z.ZodObject<typeof processEnv>>(
  { name, start }: ProcessOptions<S>,
  config: Readonly<z.output<S>>,
  logger: Logger,
): Promise<number> {
  const { ended, hurried } = watchForEnd(config.SHUTDOWN__GRACE_MS, logger)
  let readiness: Service['readiness'] | undefined
  try {
    await using _tracing = await startTracing({
      service: name,
      endpoint: config.OTEL_EXPORTER_OTLP_ENDPOINT,
      headers: config.OTEL_EXPORTER_OTLP_HEADERS,
      file: config.TRACES__PATH,
      share: config.OTEL_TRACES_SAMPLER_ARG,
      logger,
    })
    await using health = await startHealthServer({
      host: config.HEALTH__HOST,
      port: config.HEALTH__PORT,
      readiness: () => readiness,
    })
    const service = await start(config, { logger, metricsAt: health.seenAt })
    readiness = service.readiness
    logger.info({ health: health.url }, `${name} is up`)
    const { drainMs, limitMs, broken } = await ended
    const until = performance.now() + limitMs
    // Keeps load balancers and other services from sending more.
    readiness.stop()
    if (service.drain && drainMs > 0) await settledWithin(drainMs, Promise.race([service.drain(), hurried]))
    const stopping = service[Symbol.asyncDispose]()
    if (await settledWithin(until - performance.now(), stopping)) await stopping
    else logger.warn(`work was still running after ${limitMs} ms; stopping anyway`)
    return broken ? EXIT.failed : EXIT.ok
  } catch (error) {
    logger.fatal({ err: error }, `${name} failed`)
    return EXIT.failed
  }
}

/** `ended` resolves at the first request to end, `hurried` at one that ends also the draining. */
function watchForEnd(graceMs: number, logger: Logger): { ended: Promise<End>; hurried: Promise<void> } {
  const ended = Promise.withResolvers<End>()
  const hurried = Promise.withResolvers<void>()
  const end = ({ broken = false }: { broken?: boolean } = {}) => {
    ended.resolve({ drainMs: 0, limitMs: graceMs, broken })
    hurried.resolve()
  }
  process.on('SIGTERM', () => ended.resolve({ drainMs: graceMs / 2, limitMs: graceMs, broken: false }))
  process.on('SIGINT', () => end())
  if (process.channel) process.once('disconnect', () => end())
  process.on('message', (message) => {
    const asked = readToProcess(message)
    if (asked?.type !== 'drain') return
    ended.resolve({ drainMs: asked.limit_ms, limitMs: asked.limit_ms + graceMs, broken: false })
  })
  const onUncaught = (error: unknown) => {
    logger.fatal({ err: error }, 'uncaught error; stopping')
    end({ broken: true })
  }
  process.on('uncaughtException', onUncaught)
  process.on('unhandledRejection', onUncaught)
  // Also when the start has not come to its end, or the stop does not.
  void ended.promise.then(({ limitMs }) => setTimeout(() => process.exit(EXIT.failed), limitMs + 1_000).unref())
  return { ended: ended.promise, hurried: hurried.promise }
}
