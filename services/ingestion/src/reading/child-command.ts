import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

/** The kernel kills the child when this process is gone, which a child that computes without end would not notice (prctl(2), PR_SET_PDEATHSIG). */
const WITH_PARENT = ['setpriv', '--pdeathsig', 'KILL', '--no-new-privs', '--']

/** Of util-linux, so not everywhere; without it such a child ends with its computing time, if this process is there to count it. */
const isThere = await promisify(execFile)('setpriv', [...WITH_PARENT.slice(1), 'true']).then(
  () => true,
  () => false,
)

/** The program and arguments that run `command` as a child that does not outlive this process. */
export function asChild(command: readonly string[]): { readonly program: string; readonly args: readonly string[] } {
  const [program = '', ...args] = isThere ? [...WITH_PARENT, ...command] : command
  return { program, args }
}
