import { childrenOf } from './children.ts'

/** Sends a signal to a process and its direct children, as to Postgres with its backends. */
export async function signalTree(pid: number, signal: NodeJS.Signals): Promise<void> {
  for (const one of [pid, ...(await childrenOf(pid))]) process.kill(one, signal)
}
