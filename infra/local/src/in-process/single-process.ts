import { processEnv } from '@youworker/runtime/process/config'
import { Readiness } from '@youworker/runtime/health/readiness'
import { runProcess } from '@youworker/runtime/process/run-process'
import type { Service } from '@youworker/runtime/process/service'
import { z } from 'zod'
import { type Environments, startServices, stopServices } from './services-in-process.ts'

const Env = z.object({ ...processEnv, SYSTEM__ENVIRONMENTS: z.string() })

/** Runs all services in one process, which is ready when all of them are. */
await runProcess({
  name: 'youworker',
  env: process.env,
  schema: Env,
  async start({ SYSTEM__ENVIRONMENTS }, context): Promise<Service> {
    const services = await startServices(JSON.parse(SYSTEM__ENVIRONMENTS) as Environments, context)
    const checks = Object.entries(services).flatMap(([name, service]) =>
      Object.entries(service.readiness.checks).map(([check, run]) => [`${name}.${check}`, run] as const),
    )
    const drain = async () => {
      await Promise.all(Object.values(services).map(async (service) => service.drain?.()))
    }
    // A service may wait for others: the gateway is not ready before it has heard that auth and chat-agent are.
    const waiting = () =>
      Object.entries(services)
        .filter(([, service]) => !service.readiness.isReady)
        .map(([name]) => ({ name, status: 'down', latency_ms: 0, message: 'it is not ready' }) as const)
    const readiness = new Readiness(Object.fromEntries(checks), { components: waiting })
    return {
      readiness,
      drain,
      async [Symbol.asyncDispose]() {
        await readiness[Symbol.asyncDispose]()
        await stopServices(services)
      },
    }
  },
})
