import { createServer } from 'node:net'
import { once } from 'node:events'
import { stat } from 'node:fs/promises'
import { withoutUrlSecrets } from '@youworker/runtime/text/inner-text'
import type { DataDir } from '../data-dir/data-dir.ts'
import { dataDirFaults, exists, folderFault } from '../data-dir/data-dir-faults.ts'
import type { Print } from '../print.ts'
import { StartError } from '../start-error.ts'
import { askOllama } from './ask-ollama.ts'
import { askQdrant } from './ask-qdrant.ts'
import type { Schemas } from './schemas.ts'
import { settingFaults } from './setting-faults.ts'
import type { GivenSettings } from './settings.ts'

const ASK_MS = 4_000

interface Checked {
  readonly given: GivenSettings
  readonly schemas: Schemas
  readonly data: DataDir
  /** The data folder is going to be erased. */
  readonly reset: boolean
  /** Whether this start is worth nothing without a model that answers now. */
  readonly needsModel: boolean
  readonly print: Print
}

/**
 * Looks at the settings and at the servers that they name, before anything is made or started. Throws {@link StartError} with
 * everything that is wrong. Prints what may be mended while the system runs.
 */
export async function refuseFaults({ given, schemas, data, reset, needsModel, print }: Checked): Promise<void> {
  const faults = settingFaults(given, schemas)
  const hasDatabase = given.adminUrl !== undefined
  const isWrong = (name: string) => faults.some(({ setting }) => setting === name)
  const [model, index, ...others] = await Promise.all([
    isWrong('LLM__OLLAMA_BASE_URL') ? [] : modelFaults(given, schemas),
    isWrong('LLM__QDRANT_URL') ? [] : indexFaults(given),
    isWrong('DATABASE__ADMIN_URL') || isWrong('DATABASE__URL') ? [] : postgresFaults(given, data, reset),
    isWrong('NATS__URL') ? [] : natsFaults(given),
    addressFaults(given, isWrong('API__PORT') ? undefined : given.get('API__PORT')),
    pathFaults(given),
  ])
  const ofSettings = [
    ...given.faults,
    ...faults.map(({ message }) => message),
    ...others.flat(),
    ...(needsModel ? [...model, ...index] : []),
  ]
  const ofFolder = await dataDirFaults(data, { reset, hasDatabase })
  const lines = [...ofSettings, ...ofFolder].map((line) => `\n  ${line}.`)
  const where = ofSettings.length > 0 ? '\nSettings come from the environment or the file .env; .env.example explains each.' : ''
  if (lines.length > 0) throw new StartError(`YouWorker cannot start:${lines.join('')}${where}`)
  for (const line of model) print(`Warning: ${line}.\n  The system starts; answers and documents wait for the model.`)
  for (const line of index) print(`Warning: ${line}.\n  The system starts; files and searches wait for Qdrant.`)
}

async function indexFaults({ get }: GivenSettings): Promise<string[]> {
  const url = get('LLM__QDRANT_URL')
  const fault = url === undefined ? undefined : await askQdrant(url, get('LLM__QDRANT_API_KEY'))
  return fault === undefined ? [] : [withoutUrlSecrets(fault)]
}

async function modelFaults(given: GivenSettings, { ingestion }: Schemas): Promise<string[]> {
  if (given.ollamaUrl === undefined) return []
  const embedModel = ingestion.shape.LLM__EMBED_MODEL.parse(given.get('LLM__EMBED_MODEL'))
  const answersElsewhere = given.get('LLM__OPENAI_BASE_URL') !== undefined
  const chatModel = given.get('LLM__CHAT_MODEL')
  const faults = await askOllama({ url: given.ollamaUrl, chatModel, embedModel, answersElsewhere })
  return faults.map(withoutUrlSecrets)
}

async function postgresFaults({ adminUrl, get }: GivenSettings, data: DataDir, reset: boolean): Promise<string[]> {
  if (adminUrl === undefined) return []
  const name = get('DATABASE__ADMIN_URL') === undefined ? 'DATABASE__URL' : 'DATABASE__ADMIN_URL'
  const { askUsable } = await import('@youworker/database/connection/usable-server')
  const { fault, isInUse } = await askUsable(adminUrl, ASK_MS)
  if (fault !== undefined) return [`${name}: ${fault}`]
  const hasKeys = get('SECURITY__CHAT_MESSAGE_ENCRYPTION_SECRET') !== undefined && get('SECURITY__AUDIT_KEY') !== undefined
  const has = await exists(data.secrets)
  if (!isInUse || hasKeys || (has && !reset)) return []
  const keys = `${name} names a database that YouWorker has used before, and ${data.secrets} with its keys`
  return [
    has
      ? `${keys} would be erased: leave out --reset, or name an empty database`
      : `${keys} is missing: put that file back from your backup, set SECURITY__CHAT_MESSAGE_ENCRYPTION_SECRET and SECURITY__AUDIT_KEY to its keys, or name an empty database`,
  ]
}

async function natsFaults({ natsUrl }: GivenSettings): Promise<string[]> {
  if (natsUrl === undefined) return []
  const { askUsable } = await import('@youworker/messaging/connection/usable-server')
  const fault = await askUsable(natsUrl, ASK_MS)
  return fault === undefined ? [] : [`NATS__URL: ${fault}`]
}

const HOSTS = ['API__HOST', 'TOOLS__HOST', 'HEALTH__HOST', 'OFFLINE_MODEL__HOST']

/** A port that is taken is no fault: the next one is used. */
async function addressFaults({ get }: GivenSettings, port: string | undefined): Promise<string[]> {
  const hosts = HOSTS.flatMap((name) => (get(name) === undefined ? [] : [[name, get(name) ?? ''] as const]))
  const refused = await Promise.all(hosts.map(async ([name, host]) => ({ name, host, code: await refusal(host, 0) })))
  const faults = refused.flatMap(({ name, host, code }) =>
    code === undefined
      ? []
      : [`${name}: "${host}" is no address of this machine (${code}); use 127.0.0.1, or 0.0.0.0 for all of its addresses`],
  )
  if (port !== undefined && (await refusal('127.0.0.1', Number(port))) === 'EACCES')
    faults.push(`API__PORT: this user may not listen on port ${port}; choose one from 1024 on, like 8001`)
  return faults
}

/** The code of the error when this user cannot listen there. */
async function refusal(host: string, port: number): Promise<string | undefined> {
  const server = createServer()
  try {
    server.listen({ host, port, exclusive: true })
    await once(server, 'listening')
    return undefined
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : String(error)
  } finally {
    server.close()
  }
}

async function pathFaults({ get }: GivenSettings): Promise<string[]> {
  const index = get('INDEX__DIR')
  const script = get('OFFLINE_MODEL__SCRIPT')
  const why = index === undefined ? undefined : await folderFault(index)
  const hasScript =
    script === undefined ||
    (await stat(script).then(
      (found) => found.isFile(),
      () => false,
    ))
  return [
    ...(why === undefined ? [] : [`INDEX__DIR: ${why}; name another folder`]),
    ...(hasScript ? [] : [`OFFLINE_MODEL__SCRIPT: there is no file ${script}`]),
  ]
}
