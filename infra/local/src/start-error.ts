/** An expected failure. The terminal shows its message without a stack, so the message must say what to do. */
export class StartError extends Error {
  override readonly name = 'StartError'
}
