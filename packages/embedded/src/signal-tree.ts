import { childrenOf } from './children.ts'

/** Sends a signal to a process and its direct children, as to Postgres with its backends. Throws when the process has ended. */
export async function signalTree(pid: number, signal: NodeJS.Signals): Promise<void> {
  process.kill(pid, signal)
  for (const child of await childrenOf(pid)) signalIfRunning(child, signal)
}

function signalIfRunning(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error
  }
}
