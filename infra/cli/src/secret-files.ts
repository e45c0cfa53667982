import { chmod, mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { NATS_ADMIN } from '@youworker/contracts/topology/subjects'
import { SCHEMAS, SERVICES } from '@youworker/contracts/topology/topology'
import { readTeams } from '@youworker/embedded/nats-teams'
import { withoutLineEnd } from '@youworker/runtime/process/read-setting'
import { generateSecrets } from './keys.ts'
import { passwordVariable } from './nats-conf.ts'
import { READABLE, TEAM_FILES, writeTeamFiles } from './nats-users/team-files.ts'

/** Where docker-compose.yml runs the servers. */
const POSTGRES = 'postgres:5432/youworker'
const NATS = 'nats:4222'

/**
 * Writes the folder that docker-compose.yml takes its secrets from: a file for each secret, and files made of them (URLs with a
 * password, the passwords for nats-server), which are written anew each time. A secret that is there stays. Only the owner may
 * enter the folder; the files in it are readable, because in a container another user reads them. Returns the names of the new secrets.
 */
export async function writeSecretFiles(dir: string): Promise<string[]> {
  await mkdir(dir, { recursive: true, mode: 0o700 })
  await chmod(dir, 0o700)
  const made: string[] = []
  const secrets = new Map<string, string>()
  for (const [name, fresh] of generateSecrets()) {
    const present = await readIfThere(join(dir, name))
    secrets.set(name, present ?? fresh)
    if (present === undefined) {
      await writeWhole(join(dir, name), fresh)
      made.push(name)
    } else await chmod(join(dir, name), READABLE)
  }
  for (const [name, value] of derivedFiles(secrets)) await writeWhole(join(dir, name), value)
  await writeTeamFiles(dir, await readTeams(join(dir, TEAM_FILES.list)))
  return made
}

/** A crash leaves the old file or the new one, never half of it. */
async function writeWhole(path: string, value: string): Promise<void> {
  await writeFile(`${path}.new`, `${value}\n`)
  await chmod(`${path}.new`, READABLE)
  await rename(`${path}.new`, path)
}

function derivedFiles(secrets: ReadonlyMap<string, string>): [name: string, value: string][] {
  const password = (prefix: string, of: string) => encodeURIComponent(secrets.get(passwordVariable(prefix, of)) ?? '')
  const natsUrl = (user: string) => `nats://${user}:${password('NATS_PASSWORD', user)}@${NATS}`
  return [
    ['DATABASE__ADMIN_URL', `postgresql://postgres:${encodeURIComponent(secrets.get('POSTGRES_PASSWORD') ?? '')}@${POSTGRES}`],
    ...Object.entries(SCHEMAS).map(([owner, role]): [string, string] => [
      `DATABASE__URL.${owner}`,
      `postgresql://${role}:${password('POSTGRES_PASSWORD', owner)}@${POSTGRES}`,
    ]),
    ['NATS__ADMIN_URL', natsUrl(NATS_ADMIN)],
    ...SERVICES.map((service): [string, string] => [`NATS__URL.${service}`, natsUrl(service)]),
    [
      'nats.env',
      [...secrets].flatMap(([name, value]) => (name.startsWith('NATS_') ? [`${name}=${natsString(value)}`] : [])).join('\n'),
    ],
  ]
}

/** A string of nats-server in quotes, within quotes of the shell that reads the file. */
const natsString = (value: string): string => `'${JSON.stringify(value).replaceAll("'", "'\\''")}'`

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return withoutLineEnd(await readFile(path, 'utf8'))
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
}
