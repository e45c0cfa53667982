import { z } from 'zod'

/** What the supervisor says to a process that it started, over the IPC channel between them. */
const ToProcess = z.discriminatedUnion('type', [
  /** Comes with the socket of a connection to a port that the supervisor keeps. */
  z.object({ type: z.literal('connection'), port: z.string(), id: z.number() }),
  /** Another process has taken over: finish what runs, at most for so long, then end. */
  z.object({ type: z.literal('drain'), limit_ms: z.number() }),
])
export type ToProcess = z.infer<typeof ToProcess>

const ToSupervisor = z.discriminatedUnion('type', [
  /** From now on the process serves connections to this port. */
  z.object({ type: z.literal('serves'), port: z.string() }),
  /** It has the connection with this id. */
  z.object({ type: z.literal('taken'), id: z.number() }),
])
export type ToSupervisor = z.infer<typeof ToSupervisor>

/** `undefined` for a message that is none of ours. */
export const readToProcess = (message: unknown): ToProcess | undefined => ToProcess.safeParse(message).data
export const readToSupervisor = (message: unknown): ToSupervisor | undefined => ToSupervisor.safeParse(message).data

/** Does nothing in a process that no supervisor started. */
export function tellSupervisor(message: ToSupervisor): void {
  // The supervisor may end meanwhile: the process hears of that by `disconnect`.
  if (process.connected) process.send?.(message, undefined, undefined, () => {})
}
