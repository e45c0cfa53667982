import type { ModelBackendRow } from '@youworker/database/owners/chat-agent/tables'
import type { Sealer, SpaceSealer } from '@youworker/database/sealing/sealer'
import { newId } from '@youworker/runtime/id'
import type { ChatAgentUnitOfWork } from '../../unit-of-work.ts'
import { sealContext } from '../sealed-fields.ts'
import type { BackendSpec } from './backend.ts'

/** What the settings of this process say of a model server. Its row is found by its name. */
export type EnvironmentBackend = Pick<BackendSpec, 'name' | 'protocol' | 'base_url' | 'apiKey' | 'concurrency'>

/** Names of backends that settings make; root may not take them. */
export const ENVIRONMENT_NAMES = { ollama: 'ollama', openai: 'openai' } as const

/** Whose data key seals what belongs to the whole installation. No user has it. */
const INSTALLATION = '00000000-0000-0000-0000-000000000000'

interface Parts {
  readonly uow: ChatAgentUnitOfWork
  readonly sealer: Sealer
  readonly environment: readonly EnvironmentBackend[]
}

/** The rows of model servers, with their keys unsealed. */
export class BackendSpecs {
  readonly #parts: Parts

  constructor(parts: Parts) {
    this.#parts = parts
  }

  /** Of the environment alone, until rows were read: the service answers also while its database is away. */
  initial(): BackendSpec[] {
    return ordered(this.#parts.environment.map((backend) => ({ ...backend, ...DEFAULTS, id: newId() })))
  }

  /** In the order in which they are asked for a default model. A key that does not open is left out and told. */
  async read(onProblem: (name: string, error: unknown) => void): Promise<BackendSpec[]> {
    const { uow } = this.#parts
    const rows = await uow.in([]).read(({ modelBackends }) => modelBackends.all())
    const space = rows.some(({ api_key }) => api_key) ? await this.sealing() : undefined
    return ordered(rows.map((row) => toSpec(row, space, onProblem)))
  }

  /** Makes the rows of the environment what this process is set to. */
  async store(): Promise<void> {
    const { uow, environment } = this.#parts
    const space = await this.sealing()
    await uow.in([]).write(async ({ modelBackends }) => {
      await modelBackends.lockAll()
      const rows = (await modelBackends.all()).filter(({ source }) => source === 'environment')
      const nobodys = rows.filter((row) => !environment.some(({ name }) => name === row.name))
      for (const { id } of nobodys) await modelBackends.delete(id)
      for (const { apiKey, ...backend } of environment) {
        const row = rows.find(({ name }) => name === backend.name)
        const id = row?.id ?? newId()
        if (row && isSame(toSpec(row, space), { ...backend, apiKey })) continue
        const set = { ...backend, api_key: sealKey(space, id, backend.base_url, apiKey) }
        if (row) await modelBackends.update(id, set)
        else await modelBackends.add({ ...set, ...DEFAULTS, id })
      }
    })
  }

  sealing(): Promise<SpaceSealer> {
    return this.#parts.sealer.forSpace(INSTALLATION)
  }
}

const DEFAULTS = { source: 'environment', enabled: true, priority: 0 } as const

const isSame = (row: BackendSpec, { protocol, base_url, apiKey, concurrency }: EnvironmentBackend): boolean =>
  row.protocol === protocol && row.base_url === base_url && row.apiKey === apiKey && row.concurrency === concurrency

/** A key opens only for the origin that it was stored for. */
const keyContext = (id: string, baseUrl: string) => sealContext.backendKey(id, new URL(baseUrl).origin)

export const sealKey = (space: SpaceSealer, id: string, baseUrl: string, key: string | null | undefined): Buffer | null =>
  key == null ? null : space.sealText(key, keyContext(id, baseUrl))

const openKey = (space: SpaceSealer, { id, base_url, api_key }: ModelBackendRow): string | undefined =>
  api_key === null ? undefined : space.openText(api_key, keyContext(id, base_url))

function toSpec(
  row: ModelBackendRow,
  space: SpaceSealer | undefined,
  onProblem: (name: string, error: unknown) => void = () => {},
): BackendSpec {
  const { id, name, protocol, base_url, source, enabled, concurrency, priority } = row
  const spec = { id, name, protocol, base_url, source, enabled, concurrency, priority }
  try {
    return { ...spec, apiKey: space ? openKey(space, row) : undefined }
  } catch (error) {
    onProblem(name, error)
    return { ...spec, apiKey: undefined }
  }
}

/** Of the same priority, those of the environment come first, and of these the one with OpenAI's protocol: whoever names one wants it. */
const ordered = (specs: readonly BackendSpec[]): BackendSpec[] => {
  const rank = ({ source, protocol }: BackendSpec) => (source === 'admin' ? 2 : protocol === 'openai' ? 0 : 1)
  return specs.toSorted((one, other) => other.priority - one.priority || rank(one) - rank(other))
}
