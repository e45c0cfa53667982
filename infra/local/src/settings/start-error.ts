/** The start cannot go on; the message is for the person at the keyboard and says what to do. */
export class StartError extends Error {
  override readonly name = 'StartError'
}
