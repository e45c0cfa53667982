import { z } from 'zod'
import { Id, Line, Nothing, Time } from '../common.ts'
import { request } from '../define.ts'
import { Model } from './model.ts'

/** Characters of an address of a model server. */
const MAX_URL = 2_048

/** Without slashes at its end, as addresses of model servers are compared. */
export function plainUrl(url: string): string {
  let end = url.length
  while (url[end - 1] === '/') end -= 1
  return url.slice(0, end)
}

/** Of a model server. Anything behind the path would not reach it, and a password belongs into `api_key`. */
const BaseUrl = z
  .url({ protocol: /^https?$/, error: 'must be an http:// or https:// URL, like http://gpu-1:8000/v1' })
  .max(MAX_URL)
  .refine(
    (url) => !URL.canParse(url) || isPlain(new URL(url)),
    'must have no user, password, query or fragment: a key goes into api_key',
  )
  .overwrite(plainUrl)

const isPlain = ({ username, password, search, hash }: URL): boolean => username + password + search + hash === ''

/** Sent as a bearer token; anything else is no HTTP header. */
export const BackendKey = z
  .string()
  .min(1)
  .max(4_096)
  .regex(/^[\u0021-\u007E]+$/, 'must be printable ASCII without blanks')

/** A server of models. */
export const ModelBackend = z
  .object({
    id: Id,
    name: z.string(),
    protocol: z.enum(['ollama', 'openai']),
    base_url: z.string().meta({ description: "Of OpenAI's protocol with its version, as https://host/v1." }),
    has_api_key: z.boolean(),
    enabled: z.boolean(),
    concurrency: z.number().int().nullable().meta({
      description:
        'Most calls of one model at the same time, by each agent process; further ones wait in turns of their users. `null`: what the protocol has by default.',
    }),
    priority: z.number().int().meta({
      description:
        'A model is asked of the backends with the highest number that have it and answer, of the least busy one first.',
    }),
    source: z.enum(['environment', 'admin']).meta({
      description: '`environment`: it follows the settings LLM__…; only `enabled` and `priority` are changed here.',
    }),
    created_at: Time,
    updated_at: Time,
    health: z
      .object({
        status: z.enum(['up', 'down', 'unknown']),
        since: Time.nullable(),
        error: z.string().nullable().meta({ description: 'The newest failure, also of one that is up again.' }),
        models: z.array(z.string()).meta({ description: 'As it last listed them.' }),
        running: z.number().int().meta({ description: 'Calls that it answers for that process.' }),
        waiting: z.number().int().meta({ description: 'Calls of that process that wait for their turn there.' }),
      })
      .meta({ description: 'As the agent process that answered sees it.' }),
  })
  .meta({ id: 'ModelBackend' })
export type ModelBackend = z.infer<typeof ModelBackend>

const Concurrency = z.number().int().min(1).max(10_000).nullable()
const Priority = z.number().int().min(-1_000).max(1_000)
const Name = Line(64)

export const NewModelBackend = z.object({
  name: Name,
  protocol: ModelBackend.shape.protocol,
  base_url: BaseUrl,
  api_key: BackendKey.nullish(),
  enabled: z.boolean().default(true),
  concurrency: Concurrency.default(null),
  priority: Priority.default(0),
})

/** `base_url` of another origin needs `api_key` again: a key is sent nowhere but where it was meant for. `null` removes the key. */
export const ModelBackendChanges = z.object({
  name: Name.optional(),
  base_url: BaseUrl.optional(),
  api_key: BackendKey.nullish(),
  enabled: z.boolean().optional(),
  concurrency: Concurrency.optional(),
  priority: Priority.optional(),
})

const BackendId = z.object({ backend_id: Id })

/** A public key (RFC 8037), for which secrets are encrypted on their way to a service. */
export const TransportKey = z.object({ kty: z.literal('OKP'), crv: z.literal('X25519'), x: z.string(), kid: z.string() })
export type TransportKey = z.infer<typeof TransportKey>
/** `api_key` as it travels: a compact JWE (RFC 7516) for the key of `getTransportKey`. */
const KeyInTransit = { api_key_jwe: z.string().min(1).max(8_192).nullish() }

/** A model that an Ollama gets. */
export const ModelPull = z
  .object({
    id: Id,
    backend_id: Id,
    model: z.string(),
    status: z.enum(['running', 'success', 'failed', 'cancelled']),
    stage: z.string().meta({ description: 'What Ollama says that it does.' }),
    completed: z.number().int().meta({ description: 'Bytes.' }),
    total: z.number().int().meta({ description: 'Bytes of the parts that are known; it grows with them.' }),
    error: z.string().nullable(),
    created_at: Time,
    updated_at: Time,
  })
  .meta({ id: 'ModelPull' })
export type ModelPull = z.infer<typeof ModelPull>

export const NewModelPull = z.object({
  model: Line(256).meta({ description: 'As Ollama names it: qwen3:8b, hf.co/owner/name:Q4_K_M.' }),
  backend_id: Id.optional().meta({ description: 'The Ollama that gets it; not needed where there is one.' }),
})

const PullId = z.object({ pull_id: Id })

/** Models and their servers. */
export const models = {
  listModels: request('rpc.chat-agent.v1.model.list', {
    input: Nothing,
    output: z.object({ models: z.array(Model) }),
    repeatable: true,
  }),
  /** root only, like the four that follow. */
  listModelBackends: request('rpc.chat-agent.v1.model-backend.list', {
    scopes: [],
    input: Nothing,
    output: z.object({ backends: z.array(ModelBackend) }),
    repeatable: true,
  }),
  getModelBackend: request('rpc.chat-agent.v1.model-backend.get', {
    scopes: [],
    input: BackendId,
    output: ModelBackend,
    errors: ['MODEL_BACKEND_NOT_FOUND'],
    repeatable: true,
  }),
  /** For {@link KeyInTransit}. */
  getTransportKey: request('rpc.chat-agent.v1.model-backend.transport-key', {
    scopes: [],
    input: Nothing,
    output: TransportKey,
    repeatable: true,
  }),
  /** `CONFLICT`: the name is taken, or there are too many. */
  createModelBackend: request('rpc.chat-agent.v1.model-backend.create', {
    scopes: [],
    input: NewModelBackend.omit({ api_key: true }).extend(KeyInTransit),
    output: ModelBackend,
    errors: ['CONFLICT'],
  }),
  /** `CONFLICT`: the name is taken, or the environment sets what should be changed. */
  updateModelBackend: request('rpc.chat-agent.v1.model-backend.update', {
    scopes: [],
    input: BackendId.extend(ModelBackendChanges.omit({ api_key: true }).shape).extend(KeyInTransit),
    output: ModelBackend,
    errors: ['MODEL_BACKEND_NOT_FOUND', 'CONFLICT'],
    repeatable: true,
  }),
  /** `CONFLICT`: it comes from the environment. */
  deleteModelBackend: request('rpc.chat-agent.v1.model-backend.delete', {
    scopes: [],
    input: BackendId,
    output: Nothing,
    errors: ['MODEL_BACKEND_NOT_FOUND', 'CONFLICT'],
  }),
  /** root only, like the two that follow. `CONFLICT`: it is being got already, or too many are. */
  startModelPull: request('rpc.chat-agent.v1.model-pull.start', {
    scopes: [],
    input: NewModelPull,
    output: ModelPull,
    errors: ['MODEL_BACKEND_NOT_FOUND', 'CONFLICT'],
  }),
  /** Whoever asks watches: a pull that nobody has watched for 15 s is cancelled. */
  getModelPull: request('rpc.chat-agent.v1.model-pull.get', {
    scopes: [],
    input: PullId,
    output: ModelPull,
    errors: ['TASK_NOT_FOUND'],
    repeatable: true,
  }),
  cancelModelPull: request('rpc.chat-agent.v1.model-pull.cancel', {
    scopes: [],
    input: PullId,
    output: ModelPull,
    errors: ['TASK_NOT_FOUND'],
    repeatable: true,
  }),
} as const
