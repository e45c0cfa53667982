import type { z } from 'zod'
import { ConfigError, type processEnv, readEnv } from './config.ts'
import { armFaults } from './fault-point.ts'
import { startHealthServer } from '../health/health-server.ts'
import { createLogger, type Logger } from '../logger.ts'
import type { Service, ServiceContext } from './service.ts'
import { settledWithin } from '../timing/settled-within.ts'

interface ProcessOptions<S extends z.ZodObject<typeof processEnv>> {
  readonly name: string
  readonly env: NodeJS.ProcessEnv
  readonly schema: S
  readonly start: (config: Readonly<z.output<S>>, context: ServiceContext) => Promise<Service>
}

/** Exit codes: 0 stopped on request, 1 failed to start or crashed, 2 invalid settings. */
const EXIT = { ok: 0, failed: 1, settings: 2 } as const

/**
 * Runs a service's process: reads settings, opens the health port, starts the service, runs until a signal or until the
 * supervisor ends (its IPC channel closes), then stops within SHUTDOWN__GRACE_MS. Sets the exit code and resolves after the
 * stop.
 */
export async function runProcess<S extends z.ZodObject<typeof processEnv>>(options: ProcessOptions<S>): Promise<void> {
  const { name, env, schema } = options
  let config: Readonly<z.output<S>>
  try {
    config = readEnv(schema, env)
    armFaults(env['FAULT'], config.APP_ENV)
  } catch (error) {
    process.stderr.write(`${name} cannot start. ${error instanceof Error ? error.message : String(error)}\n`)
    process.exitCode = error instanceof ConfigError ? EXIT.settings : EXIT.failed
    if (process.connected) process.disconnect?.()
    return
  }
  const logger = createLogger({ name, level: config.LOG_LEVEL })
  const stop = stopSignal(logger)
  stop.addEventListener('abort', () => setTimeout(() => process.exit(EXIT.failed), config.SHUTDOWN__GRACE_MS + 1_000).unref())
  const code = await run(options, config, logger, stop)
  setTimeout(() => process.exit(code), 500).unref()
  process.exitCode = code
  if (process.connected) process.disconnect?.()
}

async function run<S extends z.ZodObject<typeof processEnv>>(
  { name, start }: ProcessOptions<S>,
  config: Readonly<z.output<S>>,
  logger: Logger,
  stop: AbortSignal,
): Promise<number> {
  let readiness: Service['readiness'] | undefined
  try {
    await using health = await startHealthServer({
      host: config.HEALTH__HOST,
      port: config.HEALTH__PORT,
      readiness: () => readiness,
    })
    const service = await start(config, { logger })
    readiness = service.readiness
    logger.info({ health: health.url }, `${name} is up`)
    const broken = await aborted(stop)
    const stopping = service[Symbol.asyncDispose]()
    if (await settledWithin(config.SHUTDOWN__GRACE_MS, stopping)) await stopping
    else logger.warn(`work was still running after ${config.SHUTDOWN__GRACE_MS} ms; stopping anyway`)
    return broken ? EXIT.failed : EXIT.ok
  } catch (error) {
    logger.fatal({ err: error }, `${name} failed`)
    return EXIT.failed
  }
}

/** Aborts on SIGTERM, SIGINT and when the supervisor ends; on an uncaught error with that error as its reason. */
function stopSignal(logger: Logger): AbortSignal {
  const stop = new AbortController()
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => stop.abort(signal))
  if (process.channel) process.once('disconnect', () => stop.abort('the supervisor is gone'))
  const onUncaught = (error: unknown) => {
    logger.fatal({ err: error }, 'uncaught error; stopping')
    stop.abort(error instanceof Error ? error : new Error(String(error)))
  }
  process.on('uncaughtException', onUncaught)
  process.on('unhandledRejection', onUncaught)
  return stop.signal
}

async function aborted(signal: AbortSignal): Promise<boolean> {
  if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
  return signal.reason instanceof Error
}
