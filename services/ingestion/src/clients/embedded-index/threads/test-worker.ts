import { setTimeout as sleep } from 'node:timers/promises'
import { parentPort, workerData } from 'node:worker_threads'
import type { ThreadData, ThreadReply, ThreadRequest } from './pool-thread.ts'

/** What the test tells a thread to do. */
export interface TestCall {
  /** Blocks until the test sets the gate to 1, or until it is interrupted. */
  readonly gate?: Int32Array
  /** Ends the thread when this is the first time that it is asked to. */
  readonly dies?: Int32Array
  readonly answer: string
}

const { interrupted } = workerData as ThreadData

async function serve({ id, call }: ThreadRequest): Promise<void> {
  const { gate, dies, answer } = call as TestCall
  if (dies && Atomics.add(dies, 0, 1) < Atomics.load(dies, 1)) process.exit(3)
  while (gate && Atomics.load(gate, 0) === 0 && Atomics.load(interrupted, 0) !== id) await sleep(1)
  const reply: ThreadReply = { id, result: gate && Atomics.load(gate, 0) === 0 ? 'interrupted' : answer }
  parentPort?.postMessage(reply)
}

parentPort?.on('message', (request: ThreadRequest) => void serve(request))
