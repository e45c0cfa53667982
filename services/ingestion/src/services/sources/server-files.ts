/** A file of the server that was checked to stand below the open folder. */
export interface ServerFile extends AsyncDisposable {
  readonly size: number
  readonly parts: AsyncIterable<Uint8Array>
}

/** Files below the one folder of the server that an operator opened. All throw `VALIDATION_ERROR` for a path that is not there or leads out. */
export interface ServerFiles {
  /** Paths of the files below a folder, relative to the root. Throws for more than `most`. */
  list(path: string, most: number): Promise<string[]>
  isFolder(path: string): Promise<boolean>
  open(path: string): Promise<ServerFile>
}
