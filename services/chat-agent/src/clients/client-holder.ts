interface Closable {
  close(): Promise<void>
}

/**
 * The client of one run, or of one of our own servers: these have no sessions, so all runs share one, each request with the token of its own
 * run.
 */
export class ClientHolder<C extends Closable> {
  readonly isShared: boolean
  #client: Promise<C> | undefined

  constructor(isShared: boolean) {
    this.isShared = isShared
  }

  connected(connect: () => Promise<C>): Promise<C> {
    if (this.#client) return this.#client
    const client = connect()
    this.#client = client
    client.catch(() => {
      if (this.#client === client) this.#client = undefined
    })
    return client
  }

  /** The next request connects again: a server that was restarted does not know the old session. `sent`: when nothing that is under way may be cut off any more. */
  drop(sent: () => Promise<void>): void {
    const client = this.#client
    this.#client = undefined
    // Other runs wait for answers of a shared one.
    if (!this.isShared) void client?.then((connected) => sent().then(() => connected.close())).catch(() => {})
  }
}
