import { auth } from '@youworker/contracts/auth'
import { recordAudit } from '@youworker/database/events/record-audit'
import type { Trace } from '@youworker/messaging/requests/context'
import { newCorrelationId, newTraceparent } from '@youworker/runtime/correlation'
import { newId } from '@youworker/runtime/id'
import { type AuthRepositories, type AuthUnitOfWork, NO_SPACES } from '../../unit-of-work.ts'
import { ROOT } from './user.ts'
import { endKey } from '../tokens/revocation-service.ts'
import { sha256 } from '@youworker/runtime/secret'

/** Creates the account `root` at the first start, and updates its key from the setting at every start. */
export class RootAccount {
  readonly #uow: AuthUnitOfWork
  readonly #keyHash: Buffer
  #isReady = false

  constructor(uow: AuthUnitOfWork, apiKey: string) {
    this.#uow = uow
    this.#keyHash = sha256(apiKey)
  }

  /** Throws until the account exists: before that, a right key would be refused like a wrong one. */
  async check(): Promise<void> {
    if (!this.#isReady) throw new Error('the root account is not set up yet; it will be once Postgres is reachable and migrated')
  }

  /** Idempotent, also in concurrent replicas: they wait for each other's lock on the user's row. */
  async ensure(): Promise<void> {
    const trace = { correlationId: newCorrelationId(), traceparent: newTraceparent() }
    await this.#uow.in(NO_SPACES).write(async (repos) => {
      await this.#ensureUser(repos, trace)
      const root = await repos.users.lockByKey(ROOT)
      await this.#ensureKey(repos, root.id, trace)
    })
    this.#isReady = true
  }

  async #ensureUser(repos: AuthRepositories, trace: Trace): Promise<void> {
    const root = { id: newId(), username: ROOT, username_key: ROOT, is_root: true, password_hash: null }
    const created = await repos.users.add(root)
    if (!created) return
    repos.outbox.add(auth.userCreated, { user_id: created.id, is_root: true }, trace)
    const target = { target_type: 'user', target_id: created.id }
    recordAudit(repos.outbox, auth.auditRecorded, { actor_id: null, action: 'user.create', outcome: 'allowed', ...target }, trace)
  }

  async #ensureKey(repos: AuthRepositories, rootId: string, trace: Trace): Promise<void> {
    const present = await repos.apiKeys.fromSetting(rootId)
    if (present?.key_hash.equals(this.#keyHash)) return
    if (present) await endKey(repos, { id: present.id, user_id: rootId }, trace)
    const id = newId()
    const name = 'SECURITY__ROOT_API_KEY'
    await repos.apiKeys.add({ id, user_id: rootId, name, key_hash: this.#keyHash, from_setting: true })
    const action = present ? 'api_key.replace' : 'api_key.create'
    recordAudit(
      repos.outbox,
      auth.auditRecorded,
      { actor_id: null, action, outcome: 'allowed', target_type: 'api_key', target_id: id },
      trace,
    )
  }
}
