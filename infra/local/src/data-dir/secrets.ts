import { generateKeyPair, randomBytes } from 'node:crypto'
import { chmod, readFile, rename, writeFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { SCHEMAS, SERVICES, type SchemaOwner } from '@youworker/contracts/topology/topology'
import { z } from 'zod'
import { recordOf } from '../record-of.ts'
import { StartError } from '../start-error.ts'

const generate = promisify(generateKeyPair)
const random = (): string => randomBytes(32).toString('base64url')
// The type of `Object.keys` is string[].
export const SCHEMA_OWNERS = Object.keys(SCHEMAS) as SchemaOwner[]

const Secrets = z.object({
  root_api_key: z.string(),
  jwt_private_key: z.string(),
  message_key: z.string(),
  audit_key: z.string(),
  csrf_secret: z.string(),
  postgres_password: z.string(),
  nats_password: z.string(),
  role_passwords: z.record(z.enum(SCHEMA_OWNERS), z.string()),
  nats_passwords: z.record(z.enum(SERVICES), z.string()),
})
export type Secrets = z.infer<typeof Secrets>

/** Secrets that came with a later version: a data folder from before it gets them at its next start. */
const LATER = { audit_key: random }

/** Reads the data folder's secrets. The first start generates them into a file with mode 600. */
export async function readSecrets(file: string): Promise<Secrets> {
  const found = await findSecrets(file)
  if (!found) return writeSecrets(file, await makeSecrets())
  await chmod(file, 0o600)
  return found.isComplete ? found.secrets : writeSecrets(file, found.secrets)
}

/** `undefined` when there is no such file. Throws {@link StartError} when it is damaged. */
export async function findSecrets(file: string): Promise<{ secrets: Secrets; isComplete: boolean } | undefined> {
  const text = await readFile(file, 'utf8').catch((cause: Error & { code?: string }) => {
    if (cause.code === 'ENOENT') return undefined
    throw new StartError(`${file} cannot be read (${cause.code}): make it a file of this user, with chmod 600`, { cause })
  })
  if (text === undefined) return undefined
  const json = parseJson(text)
  const { data, error } = Secrets.safeParse(withLater(json))
  if (data) return { secrets: data, isComplete: Object.keys(LATER).every((name) => Object.hasOwn(Object(json), name)) }
  const names = [...new Set(error.issues.map(({ path }) => path[0]))].join(', ')
  throw new StartError(
    `${file} is damaged${names === '' ? '' : ` (${names})`}: put back a copy of it, or start anew with --reset, which erases the data`,
  )
}

export async function makeSecrets(): Promise<Secrets> {
  const { privateKey } = await generate('rsa', { modulusLength: 2048 })
  return {
    root_api_key: `yw_${random()}`,
    jwt_private_key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    message_key: random(),
    audit_key: random(),
    csrf_secret: random(),
    postgres_password: random(),
    nats_password: random(),
    role_passwords: recordOf(SCHEMA_OWNERS, random),
    nats_passwords: recordOf(SERVICES, random),
  }
}

function withLater(json: unknown): unknown {
  if (typeof json !== 'object' || json === null) return json
  return { ...Object.fromEntries(Object.entries(LATER).map(([name, make]) => [name, make()])), ...json }
}

async function writeSecrets(file: string, secrets: Secrets): Promise<Secrets> {
  await writeFile(`${file}.new`, `${JSON.stringify(secrets, undefined, 2)}\n`, { mode: 0o600 })
  await rename(`${file}.new`, file)
  return secrets
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
