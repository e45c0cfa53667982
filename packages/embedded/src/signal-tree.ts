import { readdir, readFile } from 'node:fs/promises'

/** Sends a signal to a process and its direct children, as to Postgres with its backends. Linux only. */
export async function signalTree(pid: number, signal: NodeJS.Signals): Promise<void> {
  for (const one of [pid, ...(await childrenOf(pid))]) process.kill(one, signal)
}

/** proc(5): the parent is the second field of `stat` after the name in parentheses. */
async function childrenOf(parent: number): Promise<number[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number)
  const parents = await Promise.all(
    pids.map(async (pid) => {
      const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
      return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
    }),
  )
  return pids.filter((_, index) => parents[index] === parent)
}
