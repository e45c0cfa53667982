/** Points at which a test can kill the process to show that nothing is lost. */
export type FaultPoint =
  | 'after_commit'
  | 'before_publish'
  | 'after_publish_before_mark'
  | 'after_effect_before_ack'
  | 'after_tool_call_before_result'
  | 'mid_stream'

let armed: { name: string; passesLeft: number } | undefined

/** Arms `FAULT=name:nth`: the process is killed the nth time it passes the point. Throws in production. */
export function armFaults(fault: string | undefined, appEnv: string): void {
  if (!fault) return
  if (appEnv === 'production') throw new Error('FAULT is set in production: remove it')
  const [name = '', nth = '1'] = fault.split(':')
  armed = { name, passesLeft: Number(nth) }
}

/** Kills the process with SIGKILL when this point is armed; else does nothing. */
export function faultPoint(name: FaultPoint): void {
  if (armed?.name !== name) return
  armed.passesLeft -= 1
  if (armed.passesLeft <= 0) process.kill(process.pid, 'SIGKILL')
}
