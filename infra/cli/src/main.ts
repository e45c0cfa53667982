// `npm run youworker -- COMMAND`: what operators do by hand.
import { resolve } from 'node:path'
import { parseTeams } from '@youworker/embedded/nats-teams'
import { createLogger } from '@youworker/runtime/logger'
import { readRequired } from '@youworker/runtime/process/config'
import { readSetting } from '@youworker/runtime/process/read-setting'
import { SCHEMAS, type SchemaOwner } from '@youworker/contracts/topology/topology'
import { addUser, createKey, listKeys, revokeKey } from './accounts.ts'
import { warmCache } from './cache-warm.ts'
import { checkIndex } from './check-index.ts'
import { listDeadLetters, redriveDeadLetters } from './dead-letters.ts'
import { migrateIndex, showIndex } from './migrate-index.ts'
import { generateSecrets, renderEnv } from './keys.ts'
import { passwordVariable, renderNatsConf } from './nats-conf.ts'
import { addNatsUser, listNatsUsers, removeNatsUser, replayNatsUser } from './nats-users/nats-users.ts'
import { writeSecretFiles } from './secret-files.ts'
import { verifyAudit } from './verify-audit.ts'

const USAGE = `Usage: npm run youworker -- COMMAND

  migrate         make the roles and schemas in DATABASE__ADMIN_URL and the stream of events in
                  NATS__ADMIN_URL, or bring them up to date;
                  the services' passwords come from POSTGRES_PASSWORD_<SERVICE>
  keys generate [DIR]
                  print a complete production .env with fresh secrets; or write each secret
                  that DIR lacks into a file there, for docker-compose.yml (secrets)
  users add NAME [--email ADDRESS] [--root]
                  make an account in the running system and print its API key
  keys create NAME [--scopes chat,documents,documents:read,ops] [--days N], keys list, keys revoke ID
                  API keys of root in the running system
  cache warm FILE [--at-once N]
                  ask the questions of FILE (one a line, or the JSON of POST /v1/chat) with cache, so that
                  their answers are kept for the user of YOUWORKER_API_KEY, or root
  events dead-letters list, events dead-letters redrive ID… | all
                  show the events that a service could not handle; publish them again
  index check [--repair]
                  compare documents, chunks, vectors and files with each other and with the search index;
                  exit code 1 when differences are left
  index status    the search indexes that there are, with the progress of one that is being made
  index migrate --to qdrant | embedded, index migrate --cancel
                  move the search index while searches go on, with progress; or drop the one that is being made
  audit verify [--checkpoints FILE]
                  read the whole audit trail and name the first entry that is wrong (exit code 1); needs
                  DATABASE__ADMIN_URL and SECURITY__AUDIT_KEY. Compares it with the checkpoints of FILE (lines of
                  the log of auth) and, with NATS__ADMIN_URL, with those in the stream of events
  nats conf       print the nats-server configuration with a user for each service
  nats user add NAME [--events group,ingestion], nats user list, nats user remove NAME
                  another team that reads events, and nothing else, under the NATS user team-NAME
  nats user replay NAME --from TIME | SEQUENCE
                  its durables begin there again. All four work on what npm start runs (--data DIR), or on the
                  secrets of docker-compose.yml (--secrets DIR)

users, keys (but keys generate), cache and index call the API of the system that runs with .youworker, with --data DIR, or at
--api URL with SECURITY__ROOT_API_KEY. Each setting may also come from a file: NAME_FILE=/path.
`

async function migrate(): Promise<void> {
  const owners = Object.keys(SCHEMAS) as SchemaOwner[]
  const settings = readRequired(
    ['DATABASE__ADMIN_URL', 'NATS__ADMIN_URL', ...owners.map((owner) => passwordVariable('POSTGRES_PASSWORD', owner))],
    process.env,
  )
  const passwords = Object.fromEntries(
    owners.map((owner) => [owner, settings[passwordVariable('POSTGRES_PASSWORD', owner)] ?? '']),
  )
  const logger = createLogger({ name: 'migrate' })
  const { migrateAll } = await import('@youworker/database/schema/migrate')
  await migrateAll({
    adminUrl: settings['DATABASE__ADMIN_URL'] ?? '',
    // One entry for each owner, made right above.
    passwords: passwords as Record<SchemaOwner, string>,
    logger,
  })
  const { ensureEventStream } = await import('@youworker/messaging/events/ensure-event-stream')
  const teams = readSetting('NATS__TEAMS', process.env)
  await ensureEventStream({
    url: settings['NATS__ADMIN_URL'] ?? '',
    logger,
    teams: teams === undefined ? undefined : parseTeams(teams, 'NATS__TEAMS'),
  })
  logger.info('the stream of events is up to date')
}

function adminUrls() {
  const settings = readRequired(['DATABASE__ADMIN_URL', 'NATS__ADMIN_URL'], process.env)
  return { adminUrl: settings['DATABASE__ADMIN_URL'] ?? '', natsUrl: settings['NATS__ADMIN_URL'] ?? '' }
}

async function redrive(ids: readonly string[]): Promise<void> {
  if (ids.length === 0) throw new Error('Name the ids to send again, or all: events dead-letters redrive all')
  await redriveDeadLetters(adminUrls(), ids)
}

async function audit(rest: readonly string[]): Promise<void> {
  const [flag, file] = rest
  if (rest.length > 0 && (flag !== '--checkpoints' || file === undefined || rest.length > 2))
    throw new Error('audit verify takes only --checkpoints FILE')
  const settings = readRequired(['DATABASE__ADMIN_URL', 'SECURITY__AUDIT_KEY'], process.env)
  const isIntact = await verifyAudit({
    databaseUrl: settings['DATABASE__ADMIN_URL'] ?? '',
    keys: settings['SECURITY__AUDIT_KEY'] ?? '',
    natsUrl: readSetting('NATS__ADMIN_URL', process.env),
    file,
  })
  if (!isIntact) process.exitCode = 1
}

async function writeFiles(dir: string): Promise<void> {
  // The folder in which the user typed the command: `npm run` changes it.
  const made = await writeSecretFiles(resolve(process.env['INIT_CWD'] ?? '', dir))
  console.log(
    made.length === 0 ? `${dir} has every secret already; nothing was changed.` : `Written into ${dir}: ${made.join(', ')}`,
  )
}

const COMMANDS: Readonly<Record<string, (rest: readonly string[]) => void | Promise<void>>> = {
  migrate,
  'audit verify': audit,
  'users add': addUser,
  'keys create': createKey,
  'keys list': listKeys,
  'keys revoke': revokeKey,
  'cache warm': warmCache,
  'index check': checkIndex,
  'index status': showIndex,
  'index migrate': migrateIndex,
  'events dead-letters list': () => listDeadLetters(adminUrls()),
  'events dead-letters redrive': redrive,
  'keys generate': ([dir]) => (dir === undefined ? void process.stdout.write(renderEnv(generateSecrets())) : writeFiles(dir)),
  'nats user add': addNatsUser,
  'nats user list': listNatsUsers,
  'nats user remove': removeNatsUser,
  'nats user replay': replayNatsUser,
  'nats conf': () => void process.stdout.write(renderNatsConf()),
}

const args = process.argv.slice(2)
const line = args.join(' ')
const name = Object.keys(COMMANDS).find((known) => line === known || line.startsWith(`${known} `))
const command = name === undefined ? undefined : COMMANDS[name]
if (name !== undefined && command) {
  try {
    await command(args.slice(name.split(' ').length))
  } catch (error) {
    console.error(error instanceof Error ? error.message : error)
    process.exitCode = 1
  }
} else {
  console.error(USAGE)
  process.exitCode = line === '--help' ? 0 : 2
}
