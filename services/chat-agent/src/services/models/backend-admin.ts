import { BackendKey, type ModelBackend, type TransportKey } from '@youworker/contracts/agent/model-backends'
import { chatAgent } from '@youworker/contracts/chat-agent'
import type { HandlerInput } from '@youworker/contracts/define'
import { AppError } from '@youworker/contracts/errors'
import { isUniqueViolation } from '@youworker/database/connection/database-error'
import type { ModelBackendRow } from '@youworker/database/owners/chat-agent/tables'
import type { UserContext } from '@youworker/messaging/requests/context'
import type { TransportKeys } from '@youworker/messaging/tokens/transport-keys'
import { newId } from '@youworker/runtime/id'
import { withoutUrlSecrets } from '@youworker/runtime/text/inner-text'
import type { ChatAgentRepositories, ChatAgentUnitOfWork } from '../../unit-of-work.ts'
import type { Waker } from '../ports.ts'
import { type Act, asRoot } from './as-root.ts'
import type { BackendRegistry } from './backend-registry.ts'
import { type BackendSpecs, ENVIRONMENT_NAMES, sealKey } from './backend-specs.ts'

interface Parts {
  readonly uow: ChatAgentUnitOfWork
  readonly specs: BackendSpecs
  readonly registry: BackendRegistry
  readonly waker: Pick<Waker, 'backendsChanged'>
  readonly transport: TransportKeys
}

type NewBackend = HandlerInput<typeof chatAgent.createModelBackend>
type Changes = Omit<HandlerInput<typeof chatAgent.updateModelBackend>, 'backend_id'>

const MOST = 64
const actOn = (what: string, target_id: string | null): Act => ({
  action: `model-backend.${what}`,
  target_type: 'model_backend',
  target_id,
})
export const backendNotFound = () =>
  new AppError('MODEL_BACKEND_NOT_FOUND', 'There is no such model backend; GET /v1/admin/models/backends lists them')
const nameTaken = () => new AppError('CONFLICT', 'Another model backend has this name; choose another one')

/** What root does with model servers. Every act is audited, refused ones too. */
export class BackendAdmin {
  readonly #parts: Parts

  constructor(parts: Parts) {
    this.#parts = parts
  }

  get transportKey(): TransportKey {
    return this.#parts.transport.publicKey
  }

  async list(context: UserContext): Promise<ModelBackend[]> {
    const rows = await this.#asRoot(actOn('list', null), context, ({ modelBackends }) => modelBackends.all())
    return rows.map((row) => this.#toBackend(row))
  }

  async get(id: string, context: UserContext): Promise<ModelBackend> {
    const row = await this.#asRoot(actOn('get', id), context, async ({ modelBackends }) => find(await modelBackends.all(), id))
    return this.#toBackend(row)
  }

  async create({ api_key_jwe, ...backend }: NewBackend, context: UserContext): Promise<ModelBackend> {
    const { user_id } = context.caller
    const id = newId()
    const api_key = await this.#keyOf(api_key_jwe)
    const space = await this.#parts.specs.sealing()
    const request = {
      user_id,
      subject: chatAgent.createModelBackend.subject,
      key: context.idempotencyKey,
      request: { ...backend, api_key },
    }
    const row = await this.#asRoot(actOn('create', id), context, async ({ modelBackends, idempotency }) => {
      const made = await idempotency.once(request, async () => {
        await modelBackends.lockAll()
        refuseReserved(backend.name)
        if ((await modelBackends.all()).length >= MOST)
          throw new AppError('CONFLICT', `There are ${MOST} model backends already; delete one that is not needed`)
        await modelBackends.add({ ...backend, id, source: 'admin', api_key: sealKey(space, id, backend.base_url, api_key) })
        return { id }
      })
      return find(await modelBackends.all(), made.id)
    })
    return this.#changed(row)
  }

  async update(id: string, { api_key_jwe, ...set }: Changes, context: UserContext): Promise<ModelBackend> {
    const changes = { ...set, api_key: await this.#keyOf(api_key_jwe) }
    const space = await this.#parts.specs.sealing()
    const row = await this.#asRoot(actOn('update', id), context, async ({ modelBackends }) => {
      const before = found(await modelBackends.lock(id))
      const { api_key, ...patch } = defined(changes)
      if (before.source === 'environment') refuseSet(before, changes)
      if (patch.name !== undefined && patch.name !== before.name) refuseReserved(patch.name)
      const { base_url } = { ...before, ...patch }
      if (api_key === undefined) refuseOtherServer(before, base_url)
      const key = api_key === undefined ? {} : { api_key: sealKey(space, id, base_url, api_key) }
      return modelBackends.update(id, { ...patch, ...key })
    })
    return this.#changed(row)
  }

  async delete(id: string, context: UserContext): Promise<void> {
    await this.#asRoot(actOn('delete', id), context, async ({ modelBackends }) => {
      const { source, name } = found(await modelBackends.lock(id))
      if (source === 'environment')
        throw new AppError(
          'CONFLICT',
          `${settingOf(name)} makes this backend; unset it, or switch the backend off with enabled: false`,
        )
      await modelBackends.delete(id)
    })
    await this.#read()
  }

  /** The answer says whether the server can be reached. */
  async #changed(row: ModelBackendRow): Promise<ModelBackend> {
    await this.#read()
    await this.#parts.registry.check(row.id)
    return this.#toBackend(row)
  }

  async #keyOf(jwe: string | null | undefined): Promise<string | null | undefined> {
    if (jwe == null) return jwe
    const key = BackendKey.safeParse(await this.#parts.transport.decrypt(jwe))
    if (!key.success) throw AppError.fromZod(key.error, 'api_key')
    return key.data
  }

  async #read(): Promise<void> {
    this.#parts.waker.backendsChanged()
    await this.#parts.registry.read()
  }

  #toBackend({ api_key, ...row }: ModelBackendRow): ModelBackend {
    const base_url = withoutUrlSecrets(row.base_url)
    return { ...row, base_url, has_api_key: api_key !== null, health: this.#parts.registry.healthOf(row.id) }
  }

  async #asRoot<T>(act: Act, context: UserContext, work: (repositories: ChatAgentRepositories) => Promise<T>): Promise<T> {
    return asRoot(this.#parts.uow, act, context, work).catch((error: unknown) => {
      throw isUniqueViolation(error) ? nameTaken() : error
    })
  }
}

function found(row: ModelBackendRow | undefined): ModelBackendRow {
  if (row) return row
  throw backendNotFound()
}

const find = (rows: readonly ModelBackendRow[], id: string): ModelBackendRow => found(rows.find((row) => row.id === id))

const defined = <T extends object>(values: T) =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>
  }

function refuseReserved(name: string): void {
  if (name in ENVIRONMENT_NAMES)
    throw new AppError('CONFLICT', `The name ${name} belongs to ${settingOf(name)}; choose another one`)
}

const settingOf = (name: string): string => (name === ENVIRONMENT_NAMES.openai ? 'LLM__OPENAI_BASE_URL' : 'LLM__OLLAMA_BASE_URL')

/** The next start would change it back. */
function refuseSet({ name }: ModelBackendRow, changes: object): void {
  const field = Object.keys(defined(changes)).find((one) => one !== 'enabled' && one !== 'priority')
  if (field === undefined) return
  throw new AppError(
    'CONFLICT',
    `${field} comes from the settings (${settingOf(name)} and those beside it): change it there. Here only enabled and priority are changed`,
  )
}

/** A key must not be sent to another server than the one that it was given for. */
function refuseOtherServer(before: ModelBackendRow, baseUrl: string): void {
  if (before.api_key === null || new URL(baseUrl).origin === new URL(before.base_url).origin) return
  const message = 'The address is of another server: send its api_key with it, or api_key: null for none'
  throw new AppError('VALIDATION_ERROR', message, { details: [{ field: 'api_key', message }] })
}
