/** Limits that more than one service enforces. In bytes unless a comment names another unit. */
export const LIMITS = {
  /** One NATS request or reply. */
  wire: 512 * 1024,
  /** A NATS request that starts a run, which may hold images. nats-server takes 1 MiB, with the headers. */
  wireWithImages: 960 * 1024,
  /** Images of one request. Not bytes. */
  images: 16,
  /** One part of a file, stored as one row. */
  part: 256 * 1024,
  /** One page of messages or of a response's input. */
  entriesPage: 256 * 1024,
  /** One page of a run's log: with what else is kept for a reader, a slow one costs less than four times that. */
  runPage: 64 * 1024,
  /** Text of one chat message (UTF-8). */
  message: 64 * 1024,
  /** Text of one answer (UTF-16 units). A longer one is cut and marked. */
  answer: 96 * 1024,
  /** What a run shows of the thoughts of its model (UTF-16 units). */
  thinking: 64 * 1024,
  /** Rows of one list page. */
  listRows: 200,
  /** Branches of one session. */
  branches: 500,
  /** Files of one ingestion run. */
  runFiles: 200,
  /** Texts of one request for vectors: vectors of 4,096 numbers still fit into one reply. */
  embeddedTexts: 16,
  /** Characters of an idempotency key. */
  idempotencyKey: 200,
} as const

/** Deadlines of requests, in ms. */
export const WAIT = {
  /** Default deadline of a NATS request. */
  request: 5_000,
  /** Deadline of requests that embed, search or transfer parts of files. */
  slowRequest: 10_000,
} as const
