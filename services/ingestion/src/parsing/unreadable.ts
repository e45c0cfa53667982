/** Why a file cannot be read, in words that a person can act on. */
export class Unreadable extends Error {
  override readonly name = 'Unreadable'
}
