import { readFile } from 'node:fs/promises'
import { auth } from '@youworker/contracts/auth'
import { AuditCheckpoint } from '@youworker/contracts/audit/audit-trail'
import { SCHEMAS } from '@youworker/contracts/topology/topology'
import { NATS_ADMIN } from '@youworker/contracts/topology/subjects'
import { openDatabase } from '@youworker/database/connection/open'
import { checkpointMac } from '@youworker/database/owners/auth/audit-chain'
import { AuditReader } from '@youworker/database/owners/auth/audit-reader'
import type { AuthTables } from '@youworker/database/owners/auth/tables'
import { verifyAudit as verifyTrail } from '@youworker/database/owners/auth/verify-audit'
import { AUDIT, type KeyRing, parseKeyRing } from '@youworker/database/sealing/key-ring'
import { createUnitOfWork } from '@youworker/database/unit-of-work'
import { createLogger } from '@youworker/runtime/logger'

interface Settings {
  /** Of an administrator, or of the role auth. */
  readonly databaseUrl: string
  readonly keys: string
  /** Of the administrator, for the checkpoints in the stream of events. */
  readonly natsUrl: string | undefined
  /** A file with checkpoints: lines of auth's log, or of `nats stream view`. */
  readonly file: string | undefined
}

const logger = createLogger({ name: 'audit', level: 'warn' })

/** Prints whether the trail is intact; returns false and names the first wrong entry when it is not. */
export async function verifyAudit({ databaseUrl, keys, natsUrl, file }: Settings): Promise<boolean> {
  const ring = parseKeyRing(keys, AUDIT)
  const checkpoints = new Checkpoints(ring)
  // Before the trail, which may grow meanwhile.
  if (natsUrl !== undefined) await addFromStream(checkpoints, natsUrl)
  if (file !== undefined) await addFromFile(checkpoints, file)
  if (checkpoints.contradiction !== undefined) {
    console.error(
      `Entry ${checkpoints.contradiction} has two different checkpoints: the trail was cut and went on in another way.`,
    )
    return false
  }
  await using database = openDatabase<AuthTables>({
    url: databaseUrl,
    schema: SCHEMAS.auth,
    poolSize: 1,
    slowQueryMs: 60_000,
    logger,
  })
  const uow = createUnitOfWork(database, (trx) => ({ audit: new AuditReader(trx) }))
  const { status, broken, checked, begins_at, position } = await verifyTrail({
    ring,
    read: (work) => uow.in([]).read(({ audit }) => work(audit)),
    checkpoints: checkpoints.hashes,
  })
  if (broken !== null) {
    console.error(`The audit trail is broken at entry ${broken.seq}: ${broken.reason}.`)
    return false
  }
  const before = begins_at === null || begins_at === 1 ? '' : `, ${begins_at - 1} of them from before the chain`
  console.log(`The audit trail is ${status}: ${checked} entries${before}.`)
  console.log(`Checkpoints that it agrees with: ${checkpoints.hashes.size}${checkpoints.note}.`)
  console.log(`Keep this to compare it with later: ${position.seq}:${position.hash.toString('hex')}`)
  return true
}

/** Checkpoints that a holder of the key made. */
class Checkpoints {
  readonly #ring: KeyRing
  readonly hashes = new Map<number, string>()
  contradiction: number | undefined
  #forged = 0

  constructor(ring: KeyRing) {
    this.#ring = ring
  }

  add(checkpoint: AuditCheckpoint): void {
    if (checkpointMac(this.#ring, checkpoint).toString('hex') !== checkpoint.mac) {
      this.#forged += 1
      return
    }
    const known = this.hashes.get(checkpoint.seq)
    if (known !== undefined && known !== checkpoint.hash) this.contradiction ??= checkpoint.seq
    this.hashes.set(checkpoint.seq, checkpoint.hash)
  }

  get note(): string {
    const none =
      this.hashes.size === 0 ? ' (an end that was cut off is seen only with some: NATS__ADMIN_URL, --checkpoints FILE)' : ''
    return this.#forged === 0 ? none : `${none}; ${this.#forged} were not made with SECURITY__AUDIT_KEY and do not count`
  }
}

async function addFromStream(checkpoints: Checkpoints, url: string): Promise<void> {
  const { closeNats, connectNats } = await import('@youworker/messaging/connection/connect')
  const { storedEvents } = await import('@youworker/messaging/events/stored-events')
  const nats = await connectNats({ url, service: NATS_ADMIN, logger })
  try {
    for await (const checkpoint of storedEvents(nats, auth.auditCheckpointed)) checkpoints.add(checkpoint)
  } finally {
    await closeNats(nats)
  }
}

/** In a log for people. */
const TEXT_LINE = / checkpoint=(\{[^{}]*\})/

/** Takes every line that is or holds a checkpoint, as `checkpoint` in a log or `data` in an event. */
async function addFromFile(checkpoints: Checkpoints, file: string): Promise<void> {
  for (const line of (await readFile(file, 'utf8')).split('\n')) {
    const json = parseJson(TEXT_LINE.exec(line)?.[1] ?? line.trim())
    for (const candidate of [json, json?.['checkpoint'], json?.['data']]) {
      const checkpoint = AuditCheckpoint.safeParse(candidate)
      if (checkpoint.success) checkpoints.add(checkpoint.data)
    }
  }
}

function parseJson(line: string): Record<string, unknown> | undefined {
  try {
    const json: unknown = JSON.parse(line)
    return typeof json === 'object' && json !== null ? { ...json } : undefined
  } catch {
    return undefined
  }
}
